"""A simulator of the Salesforce APIs that move data: one ``Org``, used as a library or served as a program."""

from __future__ import annotations

try:
    from .data.clock import Clock
    from .data.limits import Limit
    from .http.certificates import Certificate, make_certificate
    from .http.faults import Fault
    from .jobs.progression import Progression
    from .org import Org
    from .serving import running
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'{error.name} is missing: install "singer-salesforce-bulk[simulator]", as the README shows under "Install"',
        name=error.name,
    ) from None

__all__ = ["Certificate", "Clock", "Fault", "Limit", "Org", "Progression", "make_certificate", "running"]
