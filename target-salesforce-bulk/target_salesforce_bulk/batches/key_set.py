"""`KeySet`: a set of hashes in a third of the memory of Python's own, since each unit under way has one. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

FIRST_SLOTS = 1 << 8


class KeySet:
    """64-bit hashes, added and looked up; each takes two or three slots of eight bytes.

    >>> keys = KeySet()
    >>> for number in range(1000):
    ...     keys.add(hash(str(number)))
    >>> hash("7") in keys, hash("seven") in keys, len(keys)
    (True, False, 1000)
    """

    def __init__(self) -> None:
        self._slots = array("q", bytes(8 * FIRST_SLOTS))
        self._mask = FIRST_SLOTS - 1
        self._number = 0

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[int]:
        return (key for key in self._slots if key)

    def __contains__(self, key: int) -> bool:
        return self.slot(key) is not None

    @property
    def number_of_slots(self) -> int:
        """How many slots there are, until a hash is added."""
        return len(self._slots)

    def slot(self, key: int) -> int | None:
        """Return the slot of a hash, for what is to be kept with it; None if it is not there."""
        slots, mask = self._slots, self._mask
        key = key or 1  # an empty slot is 0
        place = key & mask
        while found := slots[place]:
            if found == key:
                return place
            place = (place + 1) & mask
        return None

    def isdisjoint(self, other: KeySet) -> bool:
        """Whether no hash is in both.

        >>> KeySet().isdisjoint(KeySet())
        True
        """
        small, large = sorted((self, other), key=len)
        return not any(key in large for key in small)

    def add(self, key: int) -> None:
        """Take a hash, which may be there already."""
        if 2 * self._number > self._mask:
            self._grow()
        slots, mask = self._slots, self._mask
        key = key or 1
        place = key & mask
        while found := slots[place]:
            if found == key:
                return
            place = (place + 1) & mask
        slots[place] = key
        self._number += 1

    def _grow(self) -> None:
        keys = self._slots
        self._slots = array("q", bytes(8 * 2 * len(keys)))
        self._mask = len(self._slots) - 1
        self._number = 0
        for key in keys:
            if key:
                self.add(key)
