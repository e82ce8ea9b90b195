"""A simulator of the Salesforce APIs that move data: one ``Org``, used as a library or served as a program."""

from __future__ import annotations

from .certificates import Certificate, make_certificate
from .clock import Clock
from .faults import Fault
from .org import Org
from .progression import Progression
from .server import running

__all__ = ["Certificate", "Clock", "Fault", "Org", "Progression", "make_certificate", "running"]
