"""The version store: which weights of a stage are held, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class VersionStore:
    """The newest weights of one stage, and every older version that is still to be read.

    A version counts the updates that made it, from 0.  `readers` says how many passes will read
    each, shape (versions,); a version is dropped after its last reader once it is not the newest.
    Weights are never changed in place, so holding a version is holding a reference.
    """

    def __init__(self, weights: Any, readers: list[int]) -> None:
        self.newest, self.version = weights, 0
        self._held: dict[int, Any] = {0: weights}
        self._readers = readers
        self._outlived: dict[int, Any] = {}  # by micro-batch: what its backward shall still find

    def __len__(self) -> int:
        """How many versions are held now."""
        return len(self._held)

    def read(self, version: int) -> Any:
        """The weights (parameters,) of a version.  Raises KeyError where it is not held."""
        return self._held[version]

    def read_back(self, index: int, version: int) -> Any:
        """The weights (parameters,) the backward of micro-batch `index` finds under a version.

        They are older than the version's own where `replace` has kept some for it.
        """
        if index in self._outlived:
            return self._outlived.pop(index)
        return self._held[version]

    def release(self, version: int) -> None:
        """Note that a pass has read a version: it is dropped after its last reader."""
        self._readers[version] -= 1
        if not self._readers[version] and version != self.version:
            del self._held[version]

    def add(self, weights: Any) -> None:
        """Make weights (parameters,) the newest version, by an update: it grows by one."""
        old, self.version = self.version, self.version + 1
        self.newest = self._held[self.version] = weights
        if not self._readers[old]:
            del self._held[old]

    def replace(self, weights: Any, keep_for: Iterable[int] = ()) -> None:
        """Put weights (parameters,) in the newest version's place, without an update.

        The backwards of the micro-batches `keep_for` still find the weights there were before.
        """
        for index in keep_for:
            self._outlived.setdefault(index, self.newest)
        self.newest = self._held[self.version] = weights
