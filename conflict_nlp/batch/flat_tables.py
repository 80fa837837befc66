"""``--flat``: tables of attacks and claims for a spreadsheet or R, made of the parts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import IO, Any

from conflict_nlp.batch.parts import read_tables, sync
from conflict_nlp.batch.tables import document_of, view_name
from conflict_nlp.flat import FlatTable
from conflict_nlp.formats.files import replacing
from conflict_nlp.schema import Schema

FOLDER = "_flat"  # Arrow and Spark pass over names that begin so when they read the folder of the parts


class FlatFormat(str, Enum):
    """How flat tables are written."""

    csv = "csv"
    parquet = "parquet"


def write_flat(folder: Path, schema: Schema, format: FlatFormat) -> list[Path]:
    """Write a table for each anchor label: ``_flat/attacks.csv``, ``_flat/claims.csv``; in memory bounded by a part.

    Raises:
        conflict_nlp.formats.FormatError: they cannot be written.
    """
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    paths = []
    for label in schema.anchors:
        table = FlatTable.of(schema, [label])
        path = target / f"{view_name(label)}.{format.value}"
        with replacing(path) as file:
            (_write_csv if format is FlatFormat.csv else _write_parquet)(file, table, _rows(folder, schema, table))
            sync(file)
        paths.append(path)
    return paths


def _rows(folder: Path, schema: Schema, table: FlatTable) -> Iterator[list[list[Any]]]:
    """The rows of a part at a time."""
    for part in read_tables(folder):
        columns = part.select(["id", "text", "spans", "links"])
        yield [row for batch in columns.to_batches(256) for data in batch.to_pylist() for row in table.rows(document_of(data, schema))]


def _write_csv(file: IO[bytes], table: FlatTable, batches: Iterator[list[list[Any]]]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(table.header)
    for rows in batches:
        writer.writerows(rows)
    text.flush()
    text.detach()


def _write_parquet(file: IO[bytes], table: FlatTable, batches: Iterator[list[list[Any]]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    types = {"start": pa.int32(), "end": pa.int32(), "score": pa.float64()}
    schema = pa.schema([pa.field(name, types.get(name, pa.string())) for name in table.header])
    with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in batches:
            columns = {field.name: pa.array([row[i] if field.name in types else str(row[i]) for row in rows], field.type) for i, field in enumerate(schema)}
            writer.write_table(pa.Table.from_pydict(columns, schema=schema))
