"""What the tap, the target and their companion share, above the client."""
