"""Anchors as rows of a table for a spreadsheet: an anchor's own values, and its arguments' texts, a column a role."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conflict_nlp.document import Anchor, Document
from conflict_nlp.schema import Schema


@dataclass(frozen=True)
class FlatTable:
    """The columns of a table with a row for each anchor of ``labels``.

    ``own`` are the anchors' attributes, ``roles`` the labels of their arguments, ``detailed`` the arguments' attributes, each with its role.
    Where an anchor has several arguments of a role, their values stand in one cell, separated by ``; ``.
    """

    labels: tuple[str, ...]
    own: tuple[str, ...]
    roles: tuple[str, ...]
    detailed: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, schema: Schema, labels: Sequence[str] | None = None) -> FlatTable:
        """The table of some anchors, by default of all that the schema has."""
        labels = schema.anchors if labels is None else labels
        own = dict.fromkeys(a.name for label in labels for a in schema[label].attributes)
        roles = [name for name in schema.names if any(schema.takes(anchor, name) for anchor in labels)]
        detailed = [(role, a.name) for role in roles if role not in schema.anchors for a in schema[role].attributes]
        return cls(tuple(labels), tuple(own), tuple(roles), tuple(detailed))

    @property
    def header(self) -> list[str]:
        """The columns' names."""
        details = (f"{role}.{name}" for role, name in self.detailed)
        return ["document", "id", "label", "text", "start", "end", "score", *self.own, *self.roles, *details]

    def rows(self, document: Document) -> Iterator[list[Any]]:
        """A row for each anchor of a document, label by label, in the order of the text."""
        return (self._row(document, anchor) for label in self.labels for anchor in document.anchors(label))

    def _row(self, document: Document, anchor: Anchor) -> list[Any]:
        span = anchor.span
        joined = ["; ".join(s.text for s in anchor.arguments(role)) for role in self.roles]
        details = ["; ".join(str(s.attributes.get(name, "")) for s in anchor.arguments(role)) for role, name in self.detailed]
        attributes = [span.attributes.get(name, "") for name in self.own]
        return [document.id or "", span.id, span.label, span.text, span.start, span.end, span.score, *attributes, *joined, *details]
