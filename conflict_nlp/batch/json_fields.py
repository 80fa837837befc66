"""Fields of JSON objects as Arrow columns, typed by the first of them, without loss in the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from conflict_nlp.formats.files import FormatError
from conflict_nlp.formats.jsonl import dump

if TYPE_CHECKING:
    import pyarrow

EXTRA = "extra"


def infer(objects: Sequence[Mapping[str, Any]]) -> pyarrow.Schema:
    """A column for each field: truth value, whole number, number or else string (other values as JSON); and ``extra``."""
    import pyarrow as pa

    kinds: dict[str, set[type]] = {}
    for data in objects:
        for name, value in data.items():
            found = kinds.setdefault(name, set())
            if value is not None:
                found.add(type(value))
    kinds.pop(EXTRA, None)
    fields = [pa.field(name, _type(found)) for name, found in kinds.items() if encodable(name)]
    return pa.schema([*fields, pa.field(EXTRA, pa.string())])


def common(left: pyarrow.DataType, right: pyarrow.DataType) -> pyarrow.DataType:
    """The type of a field that has these in two files, as :func:`infer` makes them: numbers are floats, and anything else that differs strings."""
    import pyarrow as pa

    return left if left == right else pa.float64() if {left, right} == {pa.int64(), pa.float64()} else pa.string()


def table(objects: Sequence[Mapping[str, Any]], schema: pyarrow.Schema) -> pyarrow.Table:
    """Objects as a table; what has no column, or does not fit its type, is a JSON object in ``extra``."""
    import pyarrow as pa

    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    types = {field.name: field.type for field in schema if field.name != EXTRA}
    for data in objects:
        rest = {name: value for name, value in data.items() if name not in types}
        for name, kind in types.items():
            value = _fitted(data.get(name), kind)
            columns[name].append(value)
            if value is None and data.get(name) is not None:
                rest[name] = data[name]
        columns[EXTRA].append(dump(rest) if rest else None)
    return pa.Table.from_pydict(columns, schema=schema)


def text_of(value: Any) -> str:
    """A value in a column of strings: a string as it is, anything else as JSON, or as Python writes what JSON lacks."""
    if isinstance(value, str):
        return value
    try:
        return dump(value)
    except FormatError:
        return str(value)


def _type(found: set[type]) -> pyarrow.DataType:
    import pyarrow as pa

    if found == {bool}:
        return pa.bool_()
    if found == {int}:
        return pa.int64()
    return pa.float64() if found and found <= {int, float} else pa.string()


def _fitted(value: Any, kind: pyarrow.DataType) -> Any:
    """The value as the column holds it, or ``None`` where that would lose something."""
    import pyarrow.types as kinds

    if value is None:
        return None
    if kinds.is_string(kind):
        text = text_of(value)
        return text if encodable(text) else None
    if kinds.is_boolean(kind):
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kinds.is_integer(kind):
        return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
    return float(value) if isinstance(value, float) or abs(value) <= 2**53 else None


def encodable(text: str) -> bool:
    """Whether it can be written in UTF-8: it has no lone surrogate."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)
