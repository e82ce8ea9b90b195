"""What an org holds: its objects and rows, and the rules for changing them. Nothing of HTTP."""
