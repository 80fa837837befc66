"""How batches go through a model: one after the other on a device, or several beside one another on the cores of a processor."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Protocol, TypeAlias

from conflict_nlp.batching import Waiting, padded_tokens
from conflict_nlp.decoding import WindowOutputs

Batch: TypeAlias = Sequence[Waiting]
Outputs = Callable[[Batch], WindowOutputs]
"""What a model says of a batch."""


class Reader(Protocol):
    """Has a model read batches. ``ahead``: how many lots of them may be under way while the next is prepared."""

    ahead: int

    def start(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, WindowOutputs]]:
        """A lot of batches with what the model says of each, in their order; halved ones among them."""


class InTurn:
    """One batch after the other, each when it is asked for. Of one that does not fit the device's memory the halves are read, and later ones are no larger."""

    ahead = 0

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._room: float = float("inf")  # tokens with padding that fit the memory, once more did not
        self._lock = Lock()

    def start(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, WindowOutputs]]:
        """See :class:`Reader`."""
        left = deque(batches)
        while left:
            batch = left.popleft()
            output = None if len(batch) > 1 and padded_tokens(batch) > self._room else self._read(batch)
            if output is None:
                middle = len(batch) // 2
                left.extendleft((batch[middle:], batch[:middle]))
            else:
                yield batch, output

    def _read(self, batch: Batch) -> WindowOutputs | None:
        """``None`` where the memory is not enough."""
        with self._lock:  # two batches at once would want twice the memory
            try:
                return self._outputs(batch)
            except _no_memory():
                if len(batch) == 1:
                    raise
                self._room = padded_tokens(batch) // 2
            import torch

            if torch.cuda.is_available():  # out of the handler, whose traceback holds the tensors
                torch.cuda.empty_cache()
            return None


class SideBySide:
    """So many batches at once as there are threads, begun at once."""

    ahead = 1

    def __init__(self, outputs: Outputs, threads: int) -> None:
        self._outputs = outputs
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def start(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, WindowOutputs]]:
        """See :class:`Reader`."""
        lot = list(batches)
        if self._pool is None or self._process != os.getpid():  # threads do not come along into a forked process
            self._pool, self._process = ThreadPoolExecutor(self._threads, "conflict_nlp"), os.getpid()
        return zip(lot, self._pool.map(self._outputs, lot), strict=True)


def _no_memory() -> type[Exception]:
    """What torch raises where memory is short; asked for only once something was raised, so that torch is not imported for it."""
    import torch

    return getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)  # before torch 2.5 it was CUDA's alone
