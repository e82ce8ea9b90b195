"""The credentials that an org accepts unless it is given others."""

from __future__ import annotations

CLIENT_ID = "sim-client"


CLIENT_SECRET = "sim-secret"


REFRESH_TOKEN = "sim-refresh"


USERNAME = "sim@example.com"


PASSWORD = "sim-pass"


SECURITY_TOKEN = "sim-token"
