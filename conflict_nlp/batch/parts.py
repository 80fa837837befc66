"""The parts of the output: a Parquet file a chunk, which holds the chunk's errors too, so that both appear at once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from conflict_nlp.batch.engine import Labelled
from conflict_nlp.batch.errors import BatchError, RowError
from conflict_nlp.formats.files import replacing
from conflict_nlp.formats.jsonl import dump

if TYPE_CHECKING:
    import pyarrow

KEY = b"conflict_nlp"
_NAME = re.compile(r"part-(\d{6,})\.parquet")
_LEFT_OVER = re.compile(r"\..+\.part")


@dataclass(frozen=True)
class Part:
    """What is known of a part: its chunk's number and digest, how many rows the chunk has, and how many of them gave a document."""

    number: int
    digest: str
    rows: int
    documents: int
    tokens: int

    @property
    def errors(self) -> int:
        """Rows that gave no document."""
        return self.rows - self.documents


def part_path(folder: Path, number: int) -> Path:
    """Where the part of a chunk is."""
    return folder / f"part-{number:06}.parquet"


def write_part(folder: Path, labelled: Labelled) -> Part:
    """Write a chunk's part; it appears whole, on the disk and not only in its cache.

    Raises:
        conflict_nlp.formats.FormatError: it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet

    chunk, table = labelled.chunk, labelled.table
    reasons = table["error"].to_pylist()
    good = pa.array([reason is None for reason in reasons], pa.bool_())
    failed = [RowError(id, reason) for id, reason in zip(table["id"].to_pylist(), reasons, strict=True) if reason is not None]
    kept = table.filter(good).drop_columns(["error"])
    part = Part(chunk.number, chunk.digest, chunk.rows, len(kept), labelled.tokens)
    about = {**asdict(part), "errors": [error.to_dict() for error in (*chunk.errors, *failed)]}
    kept = kept.replace_schema_metadata({KEY: dump(about).encode()})
    with replacing(part_path(folder, chunk.number)) as file:
        pyarrow.parquet.write_table(kept, file, compression="zstd")
        sync(file)
    return part


def sync(file: IO[bytes]) -> None:
    """Have what was written to a file on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sweep(folder: Path) -> None:
    """Remove what a killed job was writing."""
    for path in folder.iterdir():
        if _LEFT_OVER.fullmatch(path.name):
            path.unlink()


def numbers(folder: Path) -> list[int]:
    """The numbers of the parts that are there, in order."""
    return sorted(int(match[1]) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)))


def read_part(folder: Path, number: int) -> tuple[Part, list[RowError]]:
    """What a part says of itself.

    Raises:
        BatchError: it is damaged.
    """
    about = _about(folder, number)
    errors = [RowError(**error) for error in about.pop("errors")]
    return Part(**about), errors


def _about(folder: Path, number: int) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet

    path = part_path(folder, number)
    try:
        about: dict[str, Any] = json.loads(pyarrow.parquet.read_schema(path).metadata[KEY])
        return about
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise BatchError(f"{path}: no part that this command wrote, or damaged: remove it, and it is made again ({error})") from error


def read_tables(folder: Path) -> Iterator[pyarrow.Table]:
    """The tables of all parts, in order, one in memory at a time."""
    import pyarrow.parquet

    for number in numbers(folder):
        yield pyarrow.parquet.ParquetFile(part_path(folder, number)).read()


def write_errors(folder: Path, parts: Sequence[int]) -> None:
    """Write ``_errors.jsonl``, a line for each row that gave no document: ``id``, ``reason``, ``source`` and ``row``.

    Raises:
        conflict_nlp.formats.FormatError: it cannot be written.
    """
    with replacing(folder / "_errors.jsonl") as file:
        for number in parts:
            for error in read_part(folder, number)[1]:
                file.write(dump(error.to_dict()).encode() + b"\n")
        sync(file)
