"""A simulator of the Salesforce APIs that move data: one ``Org``, used as a library or served as a program."""

from __future__ import annotations

try:
    from .certificates import Certificate, make_certificate
    from .clock import Clock
    from .faults import Fault
    from .org import Org
    from .progression import Progression
    from .server import running
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'{error.name} is missing: install "singer-salesforce-bulk[simulator]", as the README shows under "Install"',
        name=error.name,
    ) from None

__all__ = ["Certificate", "Clock", "Fault", "Org", "Progression", "make_certificate", "running"]
