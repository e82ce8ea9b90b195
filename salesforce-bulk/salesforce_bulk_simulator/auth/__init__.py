"""Logging in and out: OAuth, SOAP login, and the sessions that they open."""
