"""The plan of a job: its input cut into numbered chunks, the same ones whenever the same input is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

from conflict_nlp.batch import json_fields
from conflict_nlp.batch.blocks import Block, Columns, Reader
from conflict_nlp.batch.carried import Carried, merged
from conflict_nlp.batch.engine import CHUNK_ROWS, Chunk
from conflict_nlp.batch.errors import BatchError, RowError
from conflict_nlp.batch.read_arrow import HfDataset, Parquet
from conflict_nlp.batch.read_rows import Csv, JsonLines, Texts
from conflict_nlp.batch.seen import Seen
from conflict_nlp.batch.sources import Fingerprint, Kind, Source, fingerprint, state
from conflict_nlp.batch.tables import part_schema
from conflict_nlp.schema import Schema

if TYPE_CHECKING:
    import pyarrow

CHUNK_CHARACTERS = 1_000_000
TYPED_BY = 10  # files of JSON Lines whose fields decide the columns

READERS: dict[Kind, type[Parquet] | type[HfDataset] | type[Csv] | type[Texts]] = {
    "parquet": Parquet,
    "dataset": HfDataset,
    "csv": Csv,
    "texts": Texts,
}


@dataclass(frozen=True)
class Plan:
    """How the input is cut: a chunk ends with so many rows, or with the row with which its texts reach a million characters."""

    sources: Sequence[Source]
    columns: Columns
    schema: Schema
    chunk_rows: int = CHUNK_ROWS

    @cached_property
    def fingerprints(self) -> list[Fingerprint]:
        """The inputs as they were when this was first asked for."""
        return [fingerprint(source) for source in self.sources]

    @cached_property
    def carried(self) -> Carried:
        """The columns that are carried through.

        Raises:
            BatchError: an input cannot be read or lacks the text.
        """
        return Carried.of((self._reader(source).carried for source in self.sources), self.schema)

    @cached_property
    def _fields(self) -> pyarrow.Schema:
        """The fields of the first files of JSON Lines, under which all of them are read: what a later one has beside them is in ``extra``."""
        lines = [source for source in self.sources if source.kind == "jsonl"]
        return merged((JsonLines(source, self.columns).carried for source in lines[:TYPED_BY]), json_fields.common)

    @property
    def output_schema(self) -> pyarrow.Schema:
        """The Arrow schema of the parts."""
        return part_schema(self.schema, self.carried.schema)

    @property
    def bytes(self) -> int:
        """The size of the input."""
        return sum(source.size for source in self.sources)

    def chunks(self) -> Iterator[Chunk]:
        """The chunks, in order.

        Raises:
            BatchError: an input cannot be read on, or changed since :attr:`fingerprints` were taken.
        """
        building, number, before = _Building(), 0, 0.0
        seen = Seen()
        for source, expected in zip(self.sources, self.fingerprints, strict=True):
            opened, at = state(source), 0.0
            for block in self._reader(source).blocks():
                if state(source) != opened:
                    raise BatchError(_changed(source))
                for i, reason in enumerate(_problems(block, source, seen)):
                    building.add(block, i, source, reason)
                    if building.rows >= self.chunk_rows or building.characters >= CHUNK_CHARACTERS:
                        position = before + at + (block.read - at) * (i + 1) / len(block.ids)
                        yield building.chunk(number, self.carried, position)
                        building, number = _Building(), number + 1
                at = block.read
            if fingerprint(source) != expected:
                raise BatchError(_changed(source))
            before += source.size
        if building.rows:
            yield building.chunk(number, self.carried, before)

    def _reader(self, source: Source) -> Reader:
        if source.kind == "jsonl":
            return JsonLines(source, self.columns, self._fields)
        return READERS[source.kind](source, self.columns)


class _Building:
    """A chunk on its way."""

    def __init__(self) -> None:
        self.blocks: list[tuple[Block, Source, list[int]]] = []
        self.errors: list[RowError] = []
        self.digest = blake2b(digest_size=16)
        self.rows = 0
        self.characters = 0

    def add(self, block: Block, i: int, source: Source, reason: str) -> None:
        """Add a row; one with a reason is an error."""
        id, text = row_id(block, i, source), block.texts[i]
        self.digest.update(f"{id}\0{text}\0{reason}\0".encode("utf-8", "surrogatepass"))
        self.rows += 1
        if reason:
            self.errors.append(RowError(block.ids[i], reason, source.name, block.numbers[i]))
            return
        if not self.blocks or self.blocks[-1][0] is not block:
            self.blocks.append((block, source, []))
        self.blocks[-1][2].append(i)
        self.characters += len(text or "")

    def chunk(self, number: int, carried: Carried, position: float) -> Chunk:
        """The chunk with what was added."""
        import pyarrow as pa

        schema = pa.schema([pa.field("id", pa.string()), pa.field("text", pa.string()), *carried.schema])
        tables = [schema.empty_table()]
        for block, source, rows in self.blocks:
            ids, texts = [row_id(block, i, source) for i in rows], [block.texts[i] for i in rows]
            columns = {"id": pa.array(ids, pa.string()), "text": pa.array(texts, pa.string()), **carried.columns(block.carried, rows)}
            tables.append(pa.Table.from_pydict(columns, schema=schema))
        table = pa.concat_tables(tables).combine_chunks()
        return Chunk(number, table, tuple(self.errors), self.rows, self.digest.hexdigest(), position)


def row_id(block: Block, i: int, source: Source) -> str:
    """The id of a row; one that has none is called after its source and its number there."""
    return block.ids[i] or f"{source.name}:{block.numbers[i]}"


def _problems(block: Block, source: Source, seen: Seen) -> list[str]:
    """What is wrong with each row; the second row of an id that could be labelled is wrong as well."""
    good = [i for i, problem in enumerate(block.problems) if not problem]
    repeated = seen.add([row_id(block, i, source) for i in good])
    found = list(block.problems)
    for i, again in zip(good, repeated, strict=True):
        if again:
            found[i] = "the id occurs before"
    return found


def _changed(source: Source) -> str:
    return f"{source.path if source.kind != 'texts' else 'the texts'}: changed while the job ran: put the input back, or start anew in another folder"
