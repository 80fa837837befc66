"""What the commands for MUC-4 share: predictions for the GRIT scorer."""

from __future__ import annotations

from collections.abc import Mapping

from conflict_nlp.document import Document
from conflict_nlp.entities import entities
from conflict_nlp.formats.muc4 import MUC4, ROLES

Extracts = Mapping[str, list[list[str]]]


def extracts(document: Document) -> Extracts:
    """A document's entities by role, each by the mention that names it best: one that fits is all that the metric asks of an entity."""
    found: dict[str, list[list[str]]] = {role: [] for role in ROLES}
    for entity in entities(document, MUC4):
        found[entity.label].append([entity.name])
    return found
