"""The columns that are carried through: one schema for all inputs of a job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        """All columns of all inputs; where their types differ, the one that holds both, or string."""
        import pyarrow as pa

        taken = frozenset({"id", "text", "error", *output_fields(schema)})
        types: dict[str, pa.DataType] = {}
        for field in (field for given in schemas for field in given):
            name = _renamed(field.name, taken)
            types[name] = field.type if name not in types else _common(types[name], field.type)
        return cls(pa.schema([pa.field(name, pa.string() if pa.types.is_null(kind) else kind) for name, kind in types.items()]), taken)

    def columns(self, table: pyarrow.Table, rows: Sequence[int]) -> dict[str, pyarrow.Array]:
        """Some rows of an input's table under this schema, null where the input lacks a column."""
        import pyarrow as pa

        given = {_renamed(name, self.taken): table[name] for name in table.column_names}
        indices = pa.array(rows, pa.int64())
        return {
            field.name: _cast(given[field.name].take(indices), field.type) if field.name in given else pa.nulls(len(rows), field.type) for field in self.schema
        }


def _renamed(name: str, taken: frozenset[str]) -> str:
    return f"input_{name}" if name in taken else name


def _common(left: pyarrow.DataType, right: pyarrow.DataType) -> pyarrow.DataType:
    import pyarrow as pa

    if left == right:
        return left
    try:
        return pa.unify_schemas([pa.schema([("", left)]), pa.schema([("", right)])], promote_options="permissive").field(0).type
    except pa.ArrowException:
        return pa.string()


def _cast(column: pyarrow.ChunkedArray, kind: pyarrow.DataType) -> pyarrow.ChunkedArray:
    import pyarrow as pa

    try:
        return column if column.type == kind else column.cast(kind)
    except pa.ArrowException:
        if not pa.types.is_string(kind):
            raise
        return pa.chunked_array([pa.array([None if value is None else text_of(value) for value in column.to_pylist()], kind)])
