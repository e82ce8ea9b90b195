"""Singer messages: read, checked against their schema, and STATE held until it may pass."""
