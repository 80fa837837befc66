"""The columns that are carried through: one schema for all inputs of a job."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conflict_nlp.batch.json_fields import text_of
from conflict_nlp.batch.tables import output_fields
from conflict_nlp.schema import Schema

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Carried:
    """The carried columns as the output has them; those of an input that are called as one of the output's own are ``input_…``."""

    schema: pyarrow.Schema
    taken: frozenset[str]

    @classmethod
    def of(cls, schemas: Iterable[pyarrow.Schema], schema: Schema) -> Carried:
        """All columns of all inputs; where their types differ, the one that holds every value of both, or string."""
        import pyarrow as pa

        taken = frozenset({"id", "text", "error", *output_fields(schema)})
        found = merged((pa.schema([pa.field(_renamed(field.name, taken), field.type) for field in given]) for given in schemas), _common)
        types = [pa.string() if pa.types.is_null(field.type) or _is_hollow(field.type) else field.type for field in found]
        return cls(pa.schema(list(zip(found.names, types, strict=True))), taken)

    def columns(self, table: pyarrow.Table, rows: Sequence[int]) -> dict[str, pyarrow.Array]:
        """Some rows of an input's table under this schema, null where the input lacks a column."""
        import pyarrow as pa

        given = {_renamed(name, self.taken): table[name] for name in table.column_names}
        indices = pa.array(rows, pa.int64())
        return {
            field.name: _cast(given[field.name].take(indices), field.type) if field.name in given else pa.nulls(len(rows), field.type) for field in self.schema
        }


def _is_hollow(kind: pyarrow.DataType) -> bool:
    """Whether a struct of no fields, which Parquet has not, is in it."""
    import pyarrow.types as kinds

    if kinds.is_struct(kind):
        return kind.num_fields == 0 or any(_is_hollow(field.type) for field in kind)
    listed = kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind)
    return bool(listed) and _is_hollow(kind.value_type)


def merged(schemas: Iterable[pyarrow.Schema], common: Callable[[pyarrow.DataType, pyarrow.DataType], pyarrow.DataType]) -> pyarrow.Schema:
    """All columns of some schemas; where they differ in a type, the one that ``common`` makes of two."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {}
    for field in (field for given in schemas for field in given):
        # the dictionaries of two files may have more values together than their numbers have places
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        types[field.name] = kind if field.name not in types else common(types[field.name], kind)
    return pa.schema(list(types.items()))


def _renamed(name: str, taken: frozenset[str]) -> str:
    """Another name for a column that is called as one of the output's own; and for one that has such a name already, as the output of a job has."""
    return f"input_{name}" if re.sub("^(?:input_)+", "", name) in taken else name


def _common(left: pyarrow.DataType, right: pyarrow.DataType) -> pyarrow.DataType:
    """The type that holds every value of both, whatever the values are, or string."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if left == right or kinds.is_null(right):
        return left
    if kinds.is_null(left):
        return right
    if kinds.is_list(left) and kinds.is_list(right):
        inner = _common(left.value_type, right.value_type)
        plain = not any(kinds.is_nested(kind.value_type) or kinds.is_binary(kind.value_type) for kind in (left, right))
        return pa.list_(inner) if plain or inner != pa.string() else pa.string()
    whole, real = [kind for kind in (left, right) if kinds.is_integer(kind)], [kind for kind in (left, right) if kinds.is_floating(kind)]
    if len(whole) == 2 and (kinds.is_signed_integer(left) == kinds.is_signed_integer(right) or pa.uint64() not in whole):
        return _promoted(left, right)
    if len(real) == 2:
        return _promoted(left, right)
    if whole and real:
        return pa.float64() if whole[0].bit_width <= 32 else pa.string()
    if all(kinds.is_string(kind) or kinds.is_large_string(kind) for kind in (left, right)):
        return pa.large_string()
    if all(kinds.is_timestamp(kind) and kind.unit != "ns" for kind in (left, right)) and left.tz == right.tz:
        return _promoted(left, right)
    return pa.string()


def _promoted(left: pyarrow.DataType, right: pyarrow.DataType) -> pyarrow.DataType:
    import pyarrow as pa

    return pa.unify_schemas([pa.schema([("", left)]), pa.schema([("", right)])], promote_options="permissive").field(0).type


def _cast(column: pyarrow.ChunkedArray, kind: pyarrow.DataType) -> pyarrow.ChunkedArray:
    import pyarrow as pa

    try:
        return column if column.type == kind else column.cast(kind)
    except pa.ArrowException:
        if not pa.types.is_string(kind):
            raise
        return pa.chunked_array([pa.array([None if value is None else text_of(value) for value in column.to_pylist()], kind)])
