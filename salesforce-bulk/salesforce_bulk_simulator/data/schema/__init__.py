"""The org's objects and fields, as describe gives them."""
