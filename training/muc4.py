"""What the commands for MUC-4 share: the model, and predictions for the GRIT scorer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import conflict_nlp
from conflict_nlp.document import Document
from conflict_nlp.entities import entities
from conflict_nlp.extractor import Extractor
from conflict_nlp.formats.muc4 import MUC4, ROLES
from conflict_nlp.loading import ModelError

Extracts = Mapping[str, list[list[str]]]


def load(model: str | Path, encoder: str | None, device: str) -> Extractor:
    """A model of role fillers.

    Raises:
        ModelError: there is none, or it labels something else.
    """
    nlp = conflict_nlp.load(model, encoder=encoder, device=device, runtime="torch")
    if nlp.schema.names != MUC4.names:
        raise ModelError(f"{model} labels {', '.join(nlp.schema.names)}: give one that was trained with configs/muc4.yaml")
    return nlp


def extracts(document: Document) -> Extracts:
    """A document's entities by role, each by the mention that names it best: one that fits is all that the metric asks of an entity."""
    found: dict[str, list[list[str]]] = {role: [] for role in ROLES}
    for entity in entities(document, MUC4):
        found[entity.label].append([entity.name])
    return found
