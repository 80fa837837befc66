"""Readers of what is read row by row: JSON Lines, CSV and texts."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from conflict_nlp.batch import json_fields
from conflict_nlp.batch.blocks import Block, Columns, Row, gather
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.sources import Source, is_local, packing
from conflict_nlp.formats.files import MAX_RECORD, decode, raw_lines
from conflict_nlp.formats.jsonl import load

if TYPE_CHECKING:
    import pyarrow

HEAD = 1000  # lines from which the types of the fields are taken


@contextmanager
def opened(source: Source) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The file of a source, unpacked on the way, and the packed file below it, which knows how far it was read.

    Raises:
        BatchError: it cannot be opened.
    """
    import pyarrow as pa

    try:
        raw = source.files.open(source.path, "rb")
    except OSError as error:
        raise BatchError(f"{source.path}: cannot be read: {error.strerror or error}") from error
    with raw:
        how = packing(source.path)
        if how is not None:
            yield io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), how)), raw
        else:  # the files of most places cannot read a line up to a length
            yield (raw if is_local(source.files) else io.BufferedReader(raw)), raw


@dataclass(frozen=True)
class JsonLines:
    """A report a line, as a JSON object; read under ``fields`` where they are given, as those of several files are."""

    source: Source
    columns: Columns
    fields: pyarrow.Schema | None = None

    @cached_property
    def carried(self) -> pyarrow.Schema:
        """The ``fields``, or those of the first lines that are neither text nor id, and ``extra``: JSON of what they do not hold.

        Raises:
            BatchError: none of these lines has a text.
        """
        if self.fields is not None:
            return self.fields
        head = [row for row, _ in islice(self._rows(), HEAD)]
        wanted = [("text", self.columns.text), *([("id", self.columns.id)] if self.columns.id_required else [])]
        for option, name in wanted:
            if head and all(option in row.lacks for row in head):
                names = ", ".join(sorted({name for row in head for name in row.values})) or "none"
                raise BatchError(f"{self.source.path}: no line has the field {name!r}: name it with --{option}; there are {names}")
        return json_fields.infer([row.values for row in head])

    def blocks(self) -> Iterator[Block]:
        """The lines that are not blank."""
        return gather(self._rows(), self.columns, lambda values: json_fields.table(values, self.carried))

    def _rows(self) -> Iterator[tuple[Row, float]]:
        with opened(self.source) as (file, raw):
            for number, content in raw_lines(file, self.source.path):
                row = self._row(number, content)
                if row is not None:
                    yield row, raw.tell()

    def _row(self, number: int, content: bytes) -> Row | None:
        if len(content) > MAX_RECORD:
            return Row(number, problem=f"the line is longer than {MAX_RECORD >> 20} MiB")
        if not content.strip():
            return None
        try:
            data = load(decode(content, mark=number == 1))
        except ValueError as error:
            return Row(number, self._salvaged_id(content), problem=f"the line is {error}")
        if not isinstance(data, dict):
            return Row(number, problem=f"the line is no JSON object but {type(data).__name__}")
        lacks = frozenset(option for option, name in (("text", self.columns.text), ("id", self.columns.id)) if name not in data)
        return Row(number, data.pop(self.columns.id, None), data.pop(self.columns.text, None), values=data, lacks=lacks)

    def _salvaged_id(self, content: bytes) -> Any:
        try:
            data = load(content.decode("utf-8", "replace"))
        except ValueError:
            return None
        return data.get(self.columns.id) if isinstance(data, dict) else None


@dataclass(frozen=True)
class Csv:
    """A table with a header; separated by commas, semicolons or tabs, whichever the header has."""

    source: Source
    columns: Columns

    @cached_property
    def header(self) -> list[str]:
        """The names of the columns.

        Raises:
            BatchError: there is none for the text, or one stands there twice.
        """
        with opened(self.source) as (file, _):
            names = next(self._cells(file), [])
        if isinstance(names, csv.Error):
            raise BatchError(f"{self.source.path}: the header cannot be read: {names}")
        if not all(map(json_fields.encodable, names)):
            raise BatchError(f"{self.source.path}: the header is not UTF-8: save the file as UTF-8")
        for name in [self.columns.text, *([self.columns.id] if self.columns.id_required else [])]:
            if name not in names:
                raise BatchError(f"{self.source.path}: no column {name!r}, only {', '.join(names)}: name it with --text or --id")
        if len(set(names)) < len(names):
            raise BatchError(f"{self.source.path}: a column's name stands twice in the header: {', '.join(names)}")
        return names

    @cached_property
    def carried(self) -> pyarrow.Schema:
        """The other columns, as strings."""
        import pyarrow as pa

        return pa.schema([pa.field(name, pa.string()) for name in self.header if name not in (self.columns.text, self.columns.id)])

    def blocks(self) -> Iterator[Block]:
        """The rows behind the header that are not blank; an empty cell is null."""
        import pyarrow as pa

        def table(values: Sequence[Mapping[str, Any]]) -> pyarrow.Table:
            return pa.Table.from_pydict({name: [row.get(name) for row in values] for name in self.carried.names}, schema=self.carried)

        return gather(self._rows(), self.columns, table)

    def _rows(self) -> Iterator[tuple[Row, float]]:
        header = self.header
        with opened(self.source) as (file, raw):
            for number, cells in enumerate(self._cells(file), 1):
                if isinstance(cells, csv.Error):
                    yield Row(number, problem=f"the row cannot be read: {cells}"), raw.tell()
                elif number > 1 and cells:
                    yield self._row(number, cells, header), raw.tell()

    def _cells(self, file: IO[bytes]) -> Iterator[list[str] | csv.Error]:
        csv.field_size_limit(MAX_RECORD)  # a quote that is never closed may not take in the whole file
        lines = _Lines(raw_lines(file, self.source.path))
        delimiter = None
        while True:
            try:
                if delimiter is None:
                    first = next(lines)
                    delimiter = next((d for d in ",;\t" if self.columns.text in next(csv.reader([first], delimiter=d), [])), ",")
                    lines.put_back(first)
                yield next(csv.reader(lines, delimiter=delimiter))
            except StopIteration:
                return
            except csv.Error as error:
                yield error

    def _row(self, number: int, cells: list[str], header: Sequence[str]) -> Row:
        values: dict[str, Any] = {name: cell or None for name, cell in zip(header, cells, strict=False)}
        text, id = values.pop(self.columns.text, None), values.pop(self.columns.id, None)
        problem = f"the row has {len(cells)} cells, the header {len(header)}" if len(cells) != len(header) else ""
        for name, cell in zip(header, cells, strict=False):
            if any("\udc80" <= c <= "\udcff" for c in cell if not c.isascii()):
                problem = f"{name} is not UTF-8"
        if problem:
            return Row(number, id if id is None or id.isprintable() else None, problem=problem)
        return Row(number, id, text, values=values)


class _Lines:
    """Lines for :func:`csv.reader`; bytes that are not UTF-8 become lone surrogates. Unlike a generator it goes on after an error."""

    def __init__(self, lines: Iterator[tuple[int, bytes]]) -> None:
        self.lines = lines
        self.waiting: list[str] = []

    def put_back(self, line: str) -> None:
        """Give this line once more."""
        self.waiting.append(line)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.waiting:
            return self.waiting.pop()
        number, content = next(self.lines)
        if len(content) > MAX_RECORD:
            raise csv.Error(f"line {number} is longer than {MAX_RECORD >> 20} MiB")
        return content.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")


@dataclass(frozen=True)
class Texts:
    """Files that are a report each; its id is the file's name without ``.txt``."""

    source: Source
    columns: Columns

    @property
    def carried(self) -> pyarrow.Schema:
        """Nothing."""
        import pyarrow as pa

        return pa.schema([])

    def blocks(self) -> Iterator[Block]:
        """The files in order."""
        import pyarrow as pa

        return gather(self._rows(), self.columns, lambda values: pa.table({"": pa.nulls(len(values))}).select([]))

    def _rows(self) -> Iterator[tuple[Row, float]]:
        read = 0
        for number, (name, path) in enumerate(zip(self.source.names, self.source.paths, strict=True), 1):
            one = Source(name, "texts", self.source.files, (path,), (name,), 0)
            id = re.sub(r"\.txt(\.\w+)?$", "", name, flags=re.IGNORECASE)
            with opened(one) as (file, raw):
                try:
                    content = file.read(4 * self.columns.max_chars + 1)
                except (OSError, EOFError) as error:
                    raise BatchError(f"{path}: cannot be read: {error}") from error
                read += raw.tell()
            if len(content) > 4 * self.columns.max_chars:
                row = Row(number, id, problem=f"the text has more than {self.columns.max_chars:,} characters, the limit")
            else:
                row = Row(number, id, content.removeprefix(b"\xef\xbb\xbf"))
            yield row, read
