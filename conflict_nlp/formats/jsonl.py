"""The native format: JSON Lines, one document a line, as :meth:`conflict_nlp.document.Document.to_dict` gives it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from conflict_nlp.document import Document
from conflict_nlp.formats.base import Carries, Format
from conflict_nlp.formats.files import FormatError, Line, PathLike, lines, printable, replacing
from conflict_nlp.formats.records import Record, collect, documents_of, empty
from conflict_nlp.schema import CONFLICT, Schema

_SURROGATE = re.compile("[\ud800-\udfff]")


def read_records(path: PathLike, schema: Schema = CONFLICT) -> Iterator[Record]:
    """The lines of a file as records, blank lines left out; ``.gz`` is unpacked on the way.

    Raises:
        FormatError: the file cannot be read.
    """
    return empty(path, _records(path))


def read_documents(path: PathLike, schema: Schema = CONFLICT) -> Iterator[Document]:
    """The documents of a file, one at a time, in memory bounded by a line.

    Raises:
        FormatError: the file cannot be read or is empty, or, when it is reached, a line is no document of the schema.
    """
    return documents_of(read_records(path, schema), schema)


def read_all(paths: Iterable[PathLike], schema: Schema = CONFLICT) -> list[Document]:
    """The documents of all files.

    Raises:
        FormatError: anything is wrong in any of them; every problem of every file is listed, one a line.
    """
    return collect((record for path in paths for record in _readable(path, schema)), schema)


def write_documents(path: PathLike, documents: Iterable[Document]) -> None:
    """Write documents, one a line; the file appears when all are written. ``.gz`` is packed.

    Raises:
        FormatError: the folder cannot be written to.
    """
    with replacing(path) as file:
        for document in documents:
            file.write(dump(document.to_dict()).encode() + b"\n")


def dump(data: Any, indent: int | None = None) -> str:
    """JSON that can be encoded: Unicode as it is, but a lone surrogate as an escape.

    Raises:
        FormatError: there is a number that is not finite, a value of another kind than JSON has, or it nests too deeply.
    """
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    except (ValueError, TypeError, RecursionError) as error:
        id = f"document {printable(data['id'])}: " if isinstance(data, dict) and isinstance(data.get("id"), str) else ""
        raise FormatError(f"{id}JSON cannot carry it: {error}") from None
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def load(text: str) -> Any:
    """Parse JSON strictly.

    Raises:
        ValueError: it is not JSON, has NaN or an endless number, or nests too deeply; the message says where.
    """
    try:
        return json.loads(text, parse_float=finite, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos + 1}") from error
    except RecursionError:
        raise ValueError("not readable JSON: it nests too deeply") from None
    except ValueError as error:
        # int() refuses a number of more than 4,300 digits, and says so in terms of the interpreter
        raise ValueError("not readable JSON: a number is too long" if "digits" in str(error) else str(error)) from None


def json_lines(path: PathLike) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """The objects of a JSON Lines file, each with its place, or ``None`` and what is wrong with the line."""
    return json_objects(lines(path), path)


def json_objects(given: Iterable[Line], name: PathLike) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """The same of lines that were read already, of the file that ``name`` names."""
    for line in given:
        where = f"{name}:{line.number}"
        if line.text is None:
            yield where, None, line.problem
        elif line.text.strip():
            try:
                data = load(line.text)
            except ValueError as error:
                yield where, None, str(error)
                continue
            yield (where, data, "") if isinstance(data, dict) else (where, None, f"a line is one JSON object, not {type(data).__name__}")


def _records(path: PathLike) -> Iterator[Record]:
    for where, data, problem in json_lines(path):
        if data is not None and isinstance(data.get("id"), int) and not isinstance(data["id"], bool):
            data["id"] = str(data["id"])  # as pandas and databases write them
        yield Record(where, data, (problem,) if problem else ())


def _readable(path: PathLike, schema: Schema) -> Iterator[Record]:
    """The records, and a file that cannot be read as one more, so that the problems of the other files are found too."""
    try:
        yield from read_records(path, schema)
    except ValueError as error:
        yield Record(str(path), problems=(str(error).removeprefix(f"{path}: "),))


def finite(number: str) -> float:
    """A number with a point or an exponent; refused where it is too large, since Python would make it infinite."""
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"not readable JSON: the number {number[:20]} is too large")
    return value


def refuse_constant(constant: str) -> NoReturn:
    """Refuse ``NaN`` and ``Infinity``, which Python's parser would accept."""
    raise ValueError(f"not JSON: {constant} is no JSON number")


def _recognises(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("spans"), list) and isinstance(data.get("links"), list)


def _write(path: Path, documents: Iterable[Document], schema: Schema) -> None:
    write_documents(path, documents)


FORMAT = Format("jsonl", "the native JSON Lines", (".jsonl", ".ndjson"), read_records, _write, Carries(undeclared=True), _recognises)
