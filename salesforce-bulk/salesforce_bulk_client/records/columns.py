"""`Column`: a column of job data. Pure."""

from __future__ import annotations

import msgspec


class Column(msgspec.Struct, frozen=True):
    """One column of job data: its header, and describe's type of the field that it fills."""

    name: str
    type: str
    parent: str = ""
    """The parent's object, for a relationship column: one with a key of the parent's, ``Account.External_Ref__c``."""
    is_deferrable: bool = False
    """Whether a record can be created without this parent, and updated with it later."""

    @property
    def is_relationship(self) -> bool:
        """Whether it names a parent by a key of the parent's."""
        return bool(self.parent)

    @property
    def parent_key(self) -> str:
        """The parent's field that a relationship column has values of."""
        return self.name.rpartition(".")[2]
