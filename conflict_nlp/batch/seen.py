"""Ids that occurred before, in 8 bytes each."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

Digests = npt.NDArray[np.uint64]


class Seen:
    """A set of strings as 64-bit digests, in sorted runs that are merged as they grow (a log-structured merge, so that adding stays cheap).

    Among 10 million ids two different ones are taken for the same with a probability of 3 in a million.
    """

    def __init__(self) -> None:
        self._runs: list[Digests] = []

    def add(self, ids: Sequence[str]) -> list[bool]:
        """Add strings in order; which of them were there already, or earlier in the same call."""
        if not ids:
            return []
        digests = np.frombuffer(b"".join(blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8).digest() for id in ids), dtype=np.uint64)
        run, first = np.unique(digests, return_index=True)
        seen = np.ones(len(ids), dtype=np.bool_)
        seen[first] = False
        for other in self._runs:
            at = np.minimum(np.searchsorted(other, digests), len(other) - 1)
            seen |= other[at] == digests
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.union1d(self._runs.pop(), run)
        self._runs.append(run)
        return list(seen.tolist())
