"""`DescribedStream`: what a stream is by its object's describe, and what the catalog makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from salesforce_bulk_client import ConfigError, telemetry
from salesforce_bulk_client.instruments import SCHEMA_CHANGES
from singer_sdk import Stream
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL, Metadata, MetadataMapping
from singer_sdk.singerlib.schema import Schema

from tap_salesforce_bulk.drift import SchemaRegistry, as_text, changes
from tap_salesforce_bulk.errors import SchemaDrift
from tap_salesforce_bulk.replication import Replication
from tap_salesforce_bulk.schema import KEY, choose_cursor, is_cursor, json_schema, unsupported_reason

if TYPE_CHECKING:
    from salesforce_bulk_client import Field, SObjectDescribe
    from singer_sdk.singerlib import Catalog

    from tap_salesforce_bulk.tap import TapSalesforceBulk


@dataclass(slots=True)
class UnsupportedField(Metadata):
    """Catalog metadata of a field that is left out, with the reason."""

    unsupported_description: str | None = None


class DescribedStream(Stream):
    """One object with its schema, its keys, and the fields that are selected."""

    def __init__(self, *, tap: TapSalesforceBulk, name: str, describe: SObjectDescribe) -> None:
        super().__init__(tap=tap, name=name, schema=json_schema(describe))
        self._describe = describe
        self._catalog_entry = tap.catalog_entry(name)
        self._refusal: ConfigError | None = None
        """Why the stream cannot be read as the catalog asks."""
        self.primary_keys = [KEY] if describe.field(KEY) else []
        self.replication_key = choose_cursor(describe)
        self._cursor = describe.field(self.replication_key or "")
        self._drift: dict[str, str] = {}
        """What has changed since the input catalog was made, by property."""

    @property
    def metadata(self) -> MetadataMapping:
        """The SDK's metadata; for discovery also the fields that are left out, with the reason."""
        is_first_time = self._metadata is None
        metadata = super().metadata
        if is_first_time and self._tap_input_catalog is None:
            for name in self.schema["properties"]:
                metadata["properties", name].selected_by_default = self.config["select_fields_by_default"]
            for field in self._describe.fields:
                if reason := unsupported_reason(field):
                    metadata["properties", field.name] = UnsupportedField(
                        inclusion=Metadata.InclusionType.UNSUPPORTED, unsupported_description=reason
                    )
        return metadata

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take the catalog's choices; what it leaves open stays as discovered. What cannot be fails the stream."""
        found = Replication(
            method=self.replication_method,
            replication_key=self.replication_key,
            primary_keys=self.primary_keys or (),
        )
        super().apply_catalog(catalog)
        try:
            self._replicate(found.as_said(self._catalog_entry))
        except ConfigError as error:
            self._refusal = error
            self._replicate(found)
        if entry := catalog.get_stream(self.name):
            entry.key_properties = [*found.primary_keys]
            if self._cursor and entry.metadata:
                entry.metadata["properties", self._cursor.name].inclusion = Metadata.InclusionType.AUTOMATIC
            self._drift = changes(entry.schema.to_dict(), self.schema)
            properties = entry.schema.properties or {}
            for name, now in self.schema["properties"].items():
                if name in properties and name in self._drift:
                    # What is emitted follows the object as it is now, so the schema does, too.
                    properties[name] = Schema.from_dict(now)
            self._input_schema = entry.schema.to_dict()

    def _replicate(self, how: Replication) -> None:
        """Read the stream in this way.

        Raises: ConfigError for an incremental read by what is no possible replication key.
        """
        self._cursor = None
        if how.method == REPLICATION_INCREMENTAL:
            field = self._describe.field(how.replication_key or "")
            if field is None or not is_cursor(field):
                raise ConfigError(
                    f"the catalog asks to read incrementally by {how.replication_key or 'no replication key'}, but that"
                    " has to be a date or date-time field that may be filtered by"
                )
            self._cursor = field
        self.forced_replication_method = how.method
        self.replication_key = self._cursor.name if self._cursor else how.replication_key
        self.primary_keys = how.primary_keys

    @property
    def cursor(self) -> Field | None:
        """The field by which this run reads incrementally, or None when it reads everything.

        Raises: ConfigError if the catalog asks for what cannot be.
        """
        if self._refusal:
            raise self._refusal
        return self._cursor

    def warn_of_rows_not_seen(self) -> None:
        """Say what a replication key of the user's own choice may miss."""
        best = choose_cursor(self._describe)
        if self._cursor and self._cursor.name != best:
            name = self._cursor.name
            instead = f" instead of {best}" if best else ""
            self.logger.warning(
                "%s is read incrementally by %s%s: a change that does not move %s past the bookmark is not read, and a"
                " row whose %s lies in the future not before then",
                self.name, name, instead, name, name, extra={"stream_name": self.name},
            )  # fmt: skip

    def selected_fields(self) -> list[Field]:
        """Return the fields to read: those selected, and always the key and the cursor.

        Raises: ConfigError if the catalog or the object lacks a key or the cursor.
        """
        cursor = self.cursor
        always = {*self.primary_keys, *([cursor.name] if cursor else [])}
        properties = self.effective_schema.get("properties", {})
        if missing := sorted(always - properties.keys()):
            raise ConfigError(f"the catalog's schema has no {' and no '.join(missing)}: discover again")
        fields = []
        for name in properties:
            if name not in always and not self.mask["properties", name]:
                continue
            field = self._describe.field(name)
            if field and field.name == name and unsupported_reason(field) is None:
                fields.append(field)
            elif name in always:
                raise ConfigError(f"the catalog's key {name} is no field that can be read: discover again")
            else:
                self.logger.warning("%s has no field %s that can be read: discover again", self.name, name)
        return fields

    def tell_drift(self) -> None:
        """Report how the object has changed, as ``schema_drift`` says; what is only not in the catalog is no alert.

        Raises: SchemaDrift, ConfigError.
        """
        level = self.config["schema_drift"]
        registry = SchemaRegistry(self.config["schema_registry"]) if "schema_registry" in self.config else None
        new = {name: what for name, what in self._drift.items() if what.startswith("is new")}
        selected = {name: what for name, what in self._drift.items() if self.mask["properties", name]}
        alerts = {
            "the catalog was made": {name: selected[name] for name in selected.keys() - new.keys()},
            "the registry last saw it": registry.compare(self.name, self.schema) if registry else {},
        }
        for since, found in alerts.items():
            if found and level != "ignore":
                telemetry.note(SCHEMA_CHANGES, len(found), sobject=self.name)
                line = f"{self.name} has changed since {since}: {as_text(found)}"
                if level == "error":
                    raise SchemaDrift(f"{line} (schema_drift is error: discover again, or accept it with warn)")
                self.logger.warning("%s", line, extra={"stream_name": self.name, "fields_changed": len(found)})
        if new and level != "ignore":
            self.logger.info("%s has fields that the catalog does not know: %s", self.name, as_text(new))
        if registry:
            registry.keep(self.name, self.schema)
