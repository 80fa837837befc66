"""Blocks: rows as the readers give them, a few hundred at a time, whatever the format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from conflict_nlp.batch.errors import is_missing, read_text

if TYPE_CHECKING:
    import pyarrow

ROWS = 256
CHARACTERS = 1_000_000  # a block ends behind the row that reaches them


@dataclass(frozen=True)
class Columns:
    """Which columns are what: ``id`` is looked for by that name, and has to be there if ``id_required``; longer texts than ``max_chars`` are errors."""

    text: str
    id: str
    id_required: bool
    max_chars: int


@dataclass(frozen=True)
class Block:
    """Rows in columns: ``texts`` is ``None`` where ``problems`` says why; ``carried`` has the other columns.

    ``numbers`` are the rows' lines or numbers in the source, ``read`` how many of its bytes were read up to here.
    """

    ids: Sequence[str | None]
    texts: Sequence[str | None]
    problems: Sequence[str]
    numbers: Sequence[int]
    carried: pyarrow.Table
    read: float


class Reader(Protocol):
    """Reads a source in blocks."""

    @property
    def carried(self) -> pyarrow.Schema:
        """The columns beside id and text."""
        ...

    def blocks(self) -> Iterator[Block]:
        """The rows, in order, in memory bounded by a block."""
        ...


@dataclass(frozen=True)
class Row:
    """A row of a source that is read row by row; ``lacks`` says which of ``id`` and ``text`` are not there at all, not even as null."""

    number: int
    id: Any = None
    text: Any = None
    problem: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()


def gather(rows: Iterable[tuple[Row, float]], columns: Columns, table: Callable[[Sequence[Mapping[str, Any]]], pyarrow.Table]) -> Iterator[Block]:
    """Rows, each with how many bytes were read, as blocks; ``table`` makes the carried columns of their values."""
    ids: list[str | None] = []
    texts: list[str | None] = []
    problems: list[str] = []
    numbers: list[int] = []
    values: list[Mapping[str, Any]] = []
    size, read = 0, 0.0
    for row, read in rows:
        id, text, problem = checked_row(row.id, row.text, row.problem, columns)
        ids.append(id)
        texts.append(text)
        problems.append(problem)
        numbers.append(row.number)
        values.append(row.values)
        size += len(text or "")
        if len(ids) >= ROWS or size >= CHARACTERS:
            yield Block(ids, texts, problems, numbers, table(values), read)
            ids, texts, problems, numbers, values, size = [], [], [], [], [], 0
    if ids:
        yield Block(ids, texts, problems, numbers, table(values), read)


def checked_row(id: Any, text: Any, problem: str, columns: Columns) -> tuple[str | None, str | None, str]:
    """The id and the text of a row, or what is wrong with it."""
    read_id, id_problem = _read_id(id)
    if problem:
        return read_id, None, problem
    read, problem = read_text(text, columns.max_chars)
    return (read_id, None, id_problem) if id_problem else (read_id, read, problem)


def _read_id(value: Any) -> tuple[str | None, str]:
    text, _ = read_text(value, 1000)
    if text is not None:
        return text or None, ""
    if isinstance(value, bool | list | dict):
        return None, f"the id is {'a truth value' if isinstance(value, bool) else 'a list or an object'}"
    if isinstance(value, str):
        return value[:100], "the id is longer than 1,000 characters" if len(value) > 1000 else "the id has a lone surrogate"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")[:100], "the id is not UTF-8"
    return (None if is_missing(value) else str(value)), ""
