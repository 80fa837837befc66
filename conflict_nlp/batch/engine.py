"""What an engine is: something that labels the chunks of a job, on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from conflict_nlp.batch.errors import RowError

if TYPE_CHECKING:
    import pyarrow

CHUNK_ROWS = 256


@dataclass(frozen=True)
class Chunk:
    """A numbered piece of the input: what one part of the output is made of, and the unit of resuming.

    ``table`` has the columns ``id``, ``text`` and those that are carried through, and holds the rows that can be labelled; ``errors`` the others.
    ``rows`` counts both. ``digest`` is of ids and texts, to notice an input that changed; ``position`` is how many bytes of the input end here.
    """

    number: int
    table: pyarrow.Table
    errors: tuple[RowError, ...]
    rows: int
    digest: str
    position: float


@dataclass(frozen=True)
class Labelled:
    """A chunk that was labelled: ``table`` has the columns of :func:`conflict_nlp.batch.tables.part_schema` and ``error``.

    ``chunk`` comes back without its table; ``tokens`` is what the model read since the worker's last chunk.
    """

    chunk: Chunk
    table: pyarrow.Table
    tokens: int


class Engine(Protocol):
    """Labels chunks with workers of some kind."""

    def label(self, chunks: Iterator[Chunk]) -> Iterator[Labelled]:
        """Each chunk labelled, in any order.

        Draws from ``chunks`` only as fast as it labels, a few a worker in flight: the iterator ends early when the job is to stop, and what is
        in flight is then finished and given.
        """
        ...

    def close(self) -> None:
        """Let the workers go, after the last chunk or after an error."""
        ...
