"""`DescribedStream`: a stream before it is read: its object's describe, and what the catalog selects of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from salesforce_bulk_client import ConfigError, telemetry
from salesforce_bulk_plugin.instruments import SCHEMA_CHANGES
from singer_sdk import Stream
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL, Metadata, MetadataMapping
from singer_sdk.singerlib.schema import Schema

from tap_salesforce_bulk.discovery.replication import Replication
from tap_salesforce_bulk.discovery.schema import (
    KEY,
    can_be_replication_key,
    choose_replication_key,
    json_schema,
    unsupported_reason,
)
from tap_salesforce_bulk.discovery.schema_drift import SchemaRegistry, as_text, changes
from tap_salesforce_bulk.errors import SchemaDrift

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from salesforce_bulk_client import Field, SObjectDescribe
    from singer_sdk import Tap
    from singer_sdk.singerlib import Catalog


@dataclass(slots=True)
class UnsupportedField(Metadata):
    """Catalog metadata of a field that is left out, with the reason."""

    unsupported_description: str | None = None


class DescribedStream(Stream):
    """One object with its schema, its keys, and the fields that are selected."""

    def __init__(self, *, tap: Tap, name: str, describe: SObjectDescribe, catalog_entry: Mapping[str, Any]) -> None:
        """``catalog_entry`` is that of the input catalog, as it was given."""
        super().__init__(tap=tap, name=name, schema=json_schema(describe))
        self._describe = describe
        self._catalog_entry = catalog_entry
        self._refusal: ConfigError | None = None
        """Why the stream cannot be read as the catalog asks."""
        self.primary_keys = [KEY] if describe.field(KEY) else []
        self.replication_key = choose_replication_key(describe)
        self._replication_field = describe.field(self.replication_key or "")
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
        """Apply the catalog's choices; what it leaves open stays as discovered. An impossible one fails the stream."""
        found = Replication(
            method=self.replication_method,
            replication_key=self.replication_key,
            primary_keys=self.primary_keys or (),
        )
        super().apply_catalog(catalog)
        try:
            self._replicate(found.changed_by(self._catalog_entry))
        except ConfigError as error:
            self._refusal = error
            self._replicate(found)
        if entry := catalog.get_stream(self.name):
            entry.key_properties = [*found.primary_keys]
            if self._replication_field and entry.metadata:
                entry.metadata["properties", self._replication_field.name].inclusion = Metadata.InclusionType.AUTOMATIC
            self._drift = changes(entry.schema.to_dict(), self.schema)
            properties = entry.schema.properties or {}
            for name, now in self.schema["properties"].items():
                if name in properties and name in self._drift:
                    # What is emitted follows the object as it is now, so the schema does, too.
                    properties[name] = Schema.from_dict(now)
            self._input_schema = entry.schema.to_dict()

    def _replicate(self, how: Replication) -> None:
        """Read the stream in this way.

        Raises: ConfigError for an incremental read by a field that cannot be a replication key.
        """
        self._replication_field = None
        if how.method == REPLICATION_INCREMENTAL:
            field = self._describe.field(how.replication_key or "")
            if field is None or not can_be_replication_key(field):
                raise ConfigError(
                    f"the catalog asks to read incrementally by {how.replication_key or 'no replication key'}, but that"
                    " has to be a date or date-time field that can be filtered"
                )
            self._replication_field = field
        self.forced_replication_method = how.method
        self.replication_key = self._replication_field.name if self._replication_field else how.replication_key
        self.primary_keys = how.primary_keys

    @property
    def replication_field(self) -> Field | None:
        """The field by which this run reads incrementally, or None when it reads everything.

        Raises: ConfigError if the catalog asks for the impossible.
        """
        if self._refusal:
            raise self._refusal
        return self._replication_field

    def warn_of_rows_not_seen(self) -> None:
        """Warn about the rows that a replication key of the user's own choice may miss."""
        best = choose_replication_key(self._describe)
        if self._replication_field and self._replication_field.name != best:
            name = self._replication_field.name
            instead = f" instead of {best}" if best else ""
            self.logger.warning(
                "%s is read incrementally by %s%s: a change that does not move %s past the bookmark is not read, and a"
                " row whose %s lies in the future not before then",
                self.name, name, instead, name, name, extra={"stream_name": self.name},
            )  # fmt: skip

    @cached_property
    def selected_fields(self) -> list[Field]:
        """The fields to read: those selected, and always the keys.

        Raises: ConfigError if the catalog or the object lacks the primary key or the replication key.
        """
        replication_field = self.replication_field
        always = {*self.primary_keys, *([replication_field.name] if replication_field else [])}
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
                raise ConfigError(f"the catalog's key {name} is not a field that can be read: discover again")
            else:
                self.logger.warning("%s has no field %s that can be read: discover again", self.name, name)
        return fields

    def report_drift(self) -> None:
        """Report how the object has changed, as ``schema_drift`` says; a field that the catalog lacks is no alert.

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
            self.logger.info("%s has fields that are not in the catalog: %s", self.name, as_text(new))
        if registry:
            registry.keep(self.name, self.schema)
