"""What the rules of records, and generated rows, need of an org."""

from __future__ import annotations

from threading import RLock
from typing import Protocol

from .clock import Clock
from .schema.model import SObject
from .store import Store


class DataOrg(Protocol):
    """An org as this room sees it: its objects and rows. ``Org`` says what each attribute is."""

    lock: RLock
    clock: Clock
    objects: dict[str, SObject]
    store: Store
    user_id: str
    seed: int
    stamp_delay_s: float
    keeps_history: bool
