"""The output as Arrow tables.

A document is a row:

=============== ==========================================================================================================
``id``          string
``text``        string
…               the input's other columns
``spans``       list of structs: ``id``, ``label``, ``start``, ``end``, ``text``, ``score``, and a field for each attribute of the schema,
                null where the label has it not (flags are booleans, all else strings); offsets are Unicode code points of ``text``
``links``       list of structs: ``anchor`` and ``argument``, ids of spans, and ``score``
``attacks``,    a view for each anchor label: list of structs with the anchor's ``id``, ``text``, ``start``, ``end``, ``score`` and attributes, and for
``claims``      each role (``ATTACKER``, ``TARGET``, …) the list of its arguments: ``id``, ``text`` and their attributes
``incidents``   where the schema has ATTACK with incidents: list of structs with ``id``, ``status``, the ids of its ``attacks``, ``killed`` and
                ``injured`` (as in the guidelines, ``>=12``) with their bounds ``…_low`` and ``…_high``, and for each role the list of texts; a casualty
                that is linked to attacks of two incidents counts in both
=============== ==========================================================================================================

The views hold nothing that spans and links do not; they are what one would join of them: ``UNNEST(attacks)`` is a table of attacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from conflict_nlp.document import Anchor, Document, Incident, Link, Span
from conflict_nlp.schema import Attribute, Schema

if TYPE_CHECKING:
    import pyarrow

OUTCOMES = ("killed", "injured")


def view_name(anchor: str) -> str:
    """The column of an anchor's view: ``attacks`` for ATTACK."""
    name = f"{anchor.lower()}s"
    return f"{name}_view" if name in ("spans", "links", "incidents") else name


def output_fields(schema: Schema, views: bool = True) -> dict[str, pyarrow.DataType]:
    """The columns that labelling adds, with their types."""
    import pyarrow as pa

    types = {field.name: field for field in _typed([a for label in schema.labels for a in label.attributes])}
    text, place, score = pa.field("text", pa.string()), [pa.field("start", pa.int32()), pa.field("end", pa.int32())], pa.field("score", pa.float64())
    id = pa.field("id", pa.string())
    fields = {"spans": pa.list_(pa.struct([id, pa.field("label", pa.string()), *place, text, score, *types.values()]))}
    fields["links"] = pa.list_(pa.struct([pa.field("anchor", pa.string()), pa.field("argument", pa.string()), score]))
    if not views:
        return fields
    for anchor in schema.anchors:
        roles = [pa.field(role, pa.list_(pa.struct([id, text, *(types[a.name] for a in schema[role].attributes)]))) for role in schema[anchor].arguments]
        fields[view_name(anchor)] = pa.list_(pa.struct([id, text, *place, score, *(types[a.name] for a in schema[anchor].attributes), *roles]))
    if _has_incidents(schema):
        outcomes = OUTCOMES if schema.has_casualties else ()
        counts = [pa.field(f"{o}{end}", kind) for o in outcomes for end, kind in (("", pa.string()), ("_low", pa.int64()), ("_high", pa.int64()))]
        strings = [pa.field(name, pa.list_(pa.string())) for name in ("attacks", *schema["ATTACK"].arguments)]
        fields["incidents"] = pa.list_(pa.struct([id, pa.field("status", pa.string()), strings[0], *counts, *strings[1:]]))
    return fields


def part_schema(schema: Schema, carried: pyarrow.Schema) -> pyarrow.Schema:
    """The Arrow schema of a part: id, text, the columns that are carried through, and what labelling adds."""
    import pyarrow as pa

    added = [pa.field(name, kind) for name, kind in output_fields(schema).items()]
    return pa.schema([pa.field("id", pa.string()), pa.field("text", pa.string()), *carried, *added])


def output_row(document: Document, schema: Schema, views: bool = True) -> dict[str, Any]:
    """The values of :func:`output_fields` for one document."""
    row: dict[str, Any] = {"spans": [_stored(span, schema) for span in document.spans], "links": [link.to_dict() for link in document.links]}
    if not views:
        return row
    for label in schema.anchors:
        row[view_name(label)] = [_anchor(anchor, schema) for anchor in document.anchors(label)]
    if _has_incidents(schema):
        row["incidents"] = [_incident(incident, schema) for incident in document.incidents]
    return row


def document_of(row: Mapping[str, Any], schema: Schema) -> Document:
    """The document of a row of a part, as ``Table.to_pylist`` gives it; the carried columns are its ``meta``."""
    own = {"id", "text", "error", *output_fields(schema)}
    spans = tuple(_span(span, schema) for span in row["spans"])
    links = tuple(Link(link["anchor"], link["argument"], link["score"]) for link in row["links"])
    return Document(row["text"], spans, links, row["id"], {name: value for name, value in row.items() if name not in own})


def _span(data: Mapping[str, Any], schema: Schema) -> Span:
    values = {a: data[a.name] for a in schema[data["label"]].attributes if data[a.name] is not None}
    attributes = {a.name: value == "true" if a.kind == "flag" and isinstance(value, str) else value for a, value in values.items()}
    return Span(data["id"], data["label"], data["start"], data["end"], data["text"], attributes, data["score"])


def _anchor(anchor: Anchor, schema: Schema) -> dict[str, Any]:
    roles = {role: [_stored(s, schema) for s in anchor.arguments(role)] for role in schema[anchor.span.label].arguments}
    return {**_stored(anchor.span, schema), **roles}


def _stored(span: Span, schema: Schema) -> dict[str, Any]:
    """The span as plain data; a flag whose name is another kind of attribute elsewhere is the string ``true`` or ``false``."""
    mixed = {a.name for label in schema.labels for a in label.attributes if a.kind != "flag"}
    return {name: str(value).lower() if isinstance(value, bool) and name in mixed else value for name, value in span.to_dict().items()}


def _incident(incident: Incident, schema: Schema) -> dict[str, Any]:
    row: dict[str, Any] = {"id": incident.id, "status": incident.status, "attacks": [a.span.id for a in incident.attacks]}
    for outcome in OUTCOMES if schema.has_casualties else ():
        if (count := incident.count(outcome)) is not None:
            row |= {outcome: str(count), f"{outcome}_low": _int64(count.low), f"{outcome}_high": _int64(count.high)}
    return row | {role: [s.text for s in incident.arguments(role)] for role in schema["ATTACK"].arguments}


def _int64(bound: int | None) -> int | None:
    return bound if bound is not None and bound < 2**63 else None  # a text may name any number


def _has_incidents(schema: Schema) -> bool:
    cluster = schema.cluster("ATTACK") if "ATTACK" in schema.anchors else None
    return cluster is not None and cluster.name == "incident"


def _typed(attributes: Sequence[Attribute]) -> list[pyarrow.Field]:
    """A field for each name; boolean where it is a flag wherever it occurs."""
    import pyarrow as pa

    kinds: dict[str, set[str]] = {}
    for attribute in attributes:
        kinds.setdefault(attribute.name, set()).add(attribute.kind)
    return [pa.field(name, pa.bool_() if kind == {"flag"} else pa.string()) for name, kind in kinds.items()]
