"""The org: its objects, rows, jobs, sessions, limits, faults and switches.

The rooms below do not import it: each declares in its ``org_protocol.py`` the attributes that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

from .auth.credentials import CLIENT_ID, CLIENT_SECRET, PASSWORD, REFRESH_TOKEN, SECURITY_TOKEN, USERNAME
from .auth.sessions import Sessions
from .data.clock import Clock
from .data.errors import RecordRefused
from .data.history import Change
from .data.ids import make_id
from .data.limits import Limit, default_limits
from .data.records.rules import RecordRules, cascades
from .data.schema.declarations import build_objects, read_declarations, standard_declarations
from .data.schema.model import SObject
from .data.schema.recorded import add_recorded_objects
from .data.store import Store
from .data.values.database import Value, to_python
from .data.values.json import WrongJsonType, from_json
from .http.fault_queue import FaultQueue
from .http.late_requests import LateRequests
from .jobs.ingest.job import IngestJob
from .jobs.progression import Progression
from .jobs.query.job import QueryJob
from .jobs.registry import JobRegistry
from .rest.query_records import Selection
from .switches import Switches


class Org(Switches):
    """A Salesforce org, to be served by ``running`` or used directly."""

    def __init__(
        self,
        *,
        objects: Iterable[Mapping[str, Any] | str | Path] = (),
        describes: Path | str | None = None,
        database: Path | str | None = None,
        progression: Progression | None = None,
        clock: Clock | None = None,
        **switches: Any,
    ) -> None:
        """Create an org with the standard objects.

        ``objects`` are additional declarations: mappings, or paths of YAML files. ``describes`` is a folder with
        describe responses of a real org, as JSON; their objects replace the simulator's. ``database`` is the SQLite
        file to keep the rows in; without it they are kept in memory. ``progression`` is how fast jobs progress
        (default: ``Progression.immediate()``). ``switches`` are those of ``Switches``, which can also be set as
        attributes later.

        Raises:
            TypeError: a switch does not exist.
            ValueError: a declaration or a describe response is invalid.
        """
        super().__init__(**switches)
        self.lock = RLock()
        self.clock = clock or Clock()
        self.progression = progression or Progression.immediate()
        self.client_id = CLIENT_ID
        self.client_secret = CLIENT_SECRET
        self.username = USERNAME
        self.password = PASSWORD
        self.security_token = SECURITY_TOKEN
        self.trusted_keys: list[bytes] = []
        """Public keys, in PEM; a JWT assertion must be signed with one of them."""
        self.own_addresses: set[str] = set()
        self.objects_changed_at = self.clock.now()
        """When the objects were last changed, for conditional requests of describe."""
        self.name = "Simulated Org"
        self.org_id = make_id("00D", number=1)
        self.user_id = make_id("005", number=1)
        self.sessions = Sessions(
            clock=self.clock, org_id=self.org_id, refresh_token=REFRESH_TOKEN, token_life_s=self.token_life_s
        )
        self.sessions.rotates = self.rotate_refresh_tokens
        self.faults = FaultQueue()
        self.late_requests = LateRequests()
        self.limits = default_limits()
        self.ingest_rows = Limit(150_000_000)
        """Rows that ingest jobs may load in a day, a limit that ``/limits`` does not list."""
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request that arrived, in order."""
        self.store = Store(path=Path(database) if database else None)
        declarations = list(standard_declarations(person_accounts=self.person_accounts))
        for source in objects:
            declarations += read_declarations(dict(source) if isinstance(source, Mapping) else source)
        self.objects: dict[str, SObject] = build_objects(declarations)
        """The org's objects by name in lower case."""
        if describes is not None:
            add_recorded_objects(self.objects, Path(describes))
        self.query_locators: dict[str, Selection] = {}
        self.job_registry = JobRegistry()
        self._number_of_locators = 0
        with self.store.transaction():
            for sobject in self.objects.values():
                self.store.add_table(sobject)
            for sobject in self.objects.values():
                for child, field in cascades(self.objects, sobject):
                    self.store.add_index(child, field)
            if self.store.row(self.sobject("User"), self.user_id) is None:
                self._add_first_user()
            if self.store.row(self.sobject("Organization"), self.org_id) is None:
                self._add_organization()
        self.store.history.clear()

    def _add_organization(self) -> None:
        named = {"Name": self.name, "OrganizationType": "Developer Edition", "InstanceName": "SIM1"}
        locale = {"DefaultLocaleSidKey": "en_US", "LanguageLocaleKey": "en_US"}
        self.store.new_ids(self.sobject("Organization"), 1)
        RecordRules(self, self.sobject("Organization")).insert({**named, **locale, "Id": self.org_id}, is_admin=True)

    def _add_first_user(self) -> None:
        user = {"FirstName": "Sim", "LastName": "User", "Username": self.username, "Email": self.username}
        self.store.new_ids(self.sobject("User"), 1)
        RecordRules(self, self.sobject("User")).insert({**user, "Id": self.user_id}, is_admin=True)

    # --- rows -------------------------------------------------------------------------------------------------------

    def sobject(self, name: str) -> SObject:
        """Return an object of the org.

        Raises:
            KeyError: the org does not have the object.
        """
        return self.objects[name.lower()]

    def insert(self, name: str, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Create records and return their ids. Read-only fields such as SystemModstamp can be set, too.

        Raises:
            ValueError: a record violates a rule of the object; no record is created then.
        """
        sobject = self.sobject(name)
        return self._write(
            sobject, records, lambda rules, record: rules.insert(self._values(sobject, record), is_admin=True)
        )

    def update(self, name: str, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Update records, each with its ``Id``, and return their ids.

        Raises:
            ValueError: a record violates a rule of the object; no record is updated then.
        """
        sobject = self.sobject(name)

        def change(rules: RecordRules, record: Mapping[str, Any]) -> str:
            values = self._values(sobject, record)
            return rules.update(str(values.pop("Id", None) or ""), values, is_admin=True)

        return self._write(sobject, records, change)

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Move records to the recycle bin.

        Raises:
            ValueError: a record does not exist; no record is deleted then.
        """
        self._write(self.sobject(name), [{"Id": each} for each in ids], lambda rules, each: rules.delete(each["Id"]))

    def _write(
        self,
        sobject: SObject,
        records: Sequence[Mapping[str, Any]],
        write: Callable[[RecordRules, Mapping[str, Any]], str],
    ) -> list[str]:
        rules = RecordRules(self, sobject)
        with self.lock:
            try:
                with self.store.transaction():
                    return [write(rules, record) for record in records]
            except RecordRefused as refused:
                raise ValueError(refused.as_result_column()) from refused

    def _values(self, sobject: SObject, record: Mapping[str, Any]) -> dict[str, Value]:
        values = {}
        for name, value in record.items():
            field = sobject.field(name)
            if field is None or field.is_compound:
                raise ValueError(f"{sobject.name} has no field {name!r} that can be set")
            try:
                values[field.name] = from_json(field, value)
            except WrongJsonType:
                raise ValueError(f"{sobject.name}.{field.name} is of type {field.type}, not {value!r}") from None
        return values

    def rows(self, name: str, *, include_deleted: bool = False) -> list[dict[str, Any]]:
        """Return the rows of an object in order of creation, as typed values by field name.

        Datetimes are strings such as ``2024-01-15T10:30:00.000Z``.
        """
        sobject = self.sobject(name)
        with self.lock:
            rows = self.store.rows(sobject, include_deleted=include_deleted)
        fields = {each.name: each for each in sobject.stored_fields}
        return [{key: to_python(fields[key], value) for key, value in row.items()} for row in rows]

    @property
    def history(self) -> list[Change]:
        """Every create, update and delete of a row, in the order they were applied. Requires ``keeps_history``."""
        with self.lock:
            return list(self.store.history)

    # --- jobs -------------------------------------------------------------------------------------------------------

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """Every job of the org as JSON, as a poll would return it. Reading this does not count as a poll."""
        return [job.info() for job in self.job_registry.all()]

    @property
    def queries(self) -> list[str]:
        """The SOQL of every query job of the org, in the order they were created."""
        return [job.soql for job in self.job_registry.all() if isinstance(job, QueryJob)]

    @property
    def open_jobs_with_data(self) -> list[str]:
        """Ids of ingest jobs that have data but were neither closed nor aborted. The API does not list them."""
        jobs = [job for job in self.job_registry.all() if isinstance(job, IngestJob)]
        return [job.id for job in jobs if job.state == "Open" and job.data is not None and not job.is_expired()]

    def carry_out_late_requests(self) -> None:
        """Carry out the requests that ``Fault.carried_out_late`` has delayed."""
        self.late_requests.carry_out_all()

    def locator_id(self) -> str:
        """Return the id of a new query locator."""
        with self.lock:
            self._number_of_locators += 1
            return make_id("01g", number=self._number_of_locators)

    # --- login ------------------------------------------------------------------------------------------------------

    def trust_key(self, pem: bytes | str) -> None:
        """Accept JWT assertions that are signed with the private key of this public key, in PEM."""
        self.trusted_keys.append(pem.encode() if isinstance(pem, str) else pem)

    def accepts_password(self, text: str) -> bool:
        """Whether a text is the password, with or without the security token after it."""
        return text in (self.password, self.password + self.security_token)
