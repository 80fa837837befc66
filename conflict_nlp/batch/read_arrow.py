"""Readers of what is Arrow already: Parquet files and ``datasets`` folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from conflict_nlp.batch.blocks import CHARACTERS, ROWS, Block, Columns, checked_row
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.labeller import cells
from conflict_nlp.batch.sources import Source, is_local

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Parquet:
    """A Parquet file, read some rows of a row group at a time."""

    source: Source
    columns: Columns

    @cached_property
    def carried(self) -> pyarrow.Schema:
        """The other columns."""
        with self._opened() as file:
            return _carried(file.schema_arrow, self.source.path, self.columns)

    def blocks(self) -> Iterator[Block]:
        """The rows."""
        with self._opened() as file:
            meta = file.metadata
            size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups)) / max(1, meta.num_rows)
            rows = max(16, min(ROWS, int(CHARACTERS / max(1.0, size))))
            yield from _blocks(file.iter_batches(batch_size=rows), meta.num_rows, self.source, self.columns)

    def _opened(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet

        try:
            file = self.source.path if is_local(self.source.files) else self.source.files.open(self.source.path, "rb")
            return pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
        except (OSError, pa.ArrowException) as error:
            raise BatchError(f"{self.source.path}: no readable Parquet: {_line(error)}") from error


@dataclass(frozen=True)
class HfDataset:
    """A folder that ``Dataset.save_to_disk`` wrote, mapped into memory."""

    source: Source
    columns: Columns

    @cached_property
    def carried(self) -> pyarrow.Schema:
        """The other columns."""
        return _carried(self._dataset.features.arrow_schema, self.source.path, self.columns)

    def blocks(self) -> Iterator[Block]:
        """The rows."""
        return _blocks(self._dataset.with_format("arrow").iter(ROWS // 4), len(self._dataset), self.source, self.columns)

    @cached_property
    def _dataset(self) -> Any:
        import pyarrow as pa

        try:
            from datasets import load_from_disk
        except ImportError as error:
            raise BatchError(f"{self.source.path}: datasets is not installed: pip install 'conflict-nlp[evaluate]'") from error
        try:
            return load_from_disk(self.source.path if is_local(self.source.files) else self.source.files.unstrip_protocol(self.source.path))
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise BatchError(f"{self.source.path}: no readable dataset: {_line(error)}") from error


def _blocks(batches: Iterator[Any], total: int, source: Source, columns: Columns) -> Iterator[Block]:
    import pyarrow as pa

    number = 0
    try:
        for batch in batches:
            table = pa.table(batch)
            ids = cells(table[columns.id]) if columns.id in table.column_names else [None] * len(table)
            rows = [checked_row(id, text, "", columns) for id, text in zip(ids, cells(table[columns.text]), strict=True)]
            numbers = range(number + 1, number + len(rows) + 1)
            number += len(rows)
            carried = table.select([name for name in table.column_names if name not in (columns.text, columns.id)])
            read = source.size * number / total
            yield Block([id for id, _, _ in rows], [text for _, text, _ in rows], [problem for _, _, problem in rows], numbers, carried, read)
    except (OSError, pa.ArrowException) as error:
        raise BatchError(f"{source.path}: cannot be read after row {number:,}: {_line(error)}") from error


def _carried(schema: pyarrow.Schema, path: str, columns: Columns) -> pyarrow.Schema:
    import pyarrow as pa

    for option, name in [("text", columns.text), *([("id", columns.id)] if columns.id_required else [])]:
        if name not in schema.names:
            raise BatchError(f"{path}: no column {name!r}, only {', '.join(schema.names)}: name it with --{option}")
    if len(set(schema.names)) < len(schema.names):
        raise BatchError(f"{path}: a column's name stands there twice: {', '.join(schema.names)}")
    return pa.schema([pa.field(field.name, field.type) for field in schema if field.name not in (columns.text, columns.id)])


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
