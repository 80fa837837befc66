"""Who attacked whom, with what, where and when, who was hurt, and who claims whose sovereignty was breached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conflict_nlp.document import Anchor, Attack, Claim, Document, DocumentError, Incident, Link, Span
from conflict_nlp.loading import ModelError
from conflict_nlp.schema import CONFLICT, Schema

if TYPE_CHECKING:
    from conflict_nlp.extractor import Extractor, load

__version__ = "0.1.0"

__all__ = ["CONFLICT", "Anchor", "Attack", "Claim", "Document", "DocumentError", "Extractor", "Incident", "Link", "ModelError", "Schema", "Span", "load"]


def __getattr__(name: str) -> Any:
    # the extractor needs torch, which takes seconds to import: only on first use
    if name in ("load", "Extractor"):
        from conflict_nlp import extractor

        return getattr(extractor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
