"""The words after the bar of a line of the guidelines' format: a span's attributes, in the schema's order."""

from __future__ import annotations

import re
from typing import Any

from conflict_nlp.counts import Count
from conflict_nlp.schema import Attribute, Schema


def token(attribute: Attribute, value: Any) -> str:
    """The word for a value; empty where it has none that could be read back. A flag is the first three letters of its name."""
    word = attribute.name[:3] if attribute.kind == "flag" and value is True else value
    return word if isinstance(word, str) and not re.search(r"\s", word) and _accepts(attribute, word) else ""


def parse_attributes(schema: Schema, label: str, tokens: str, problems: list[str]) -> dict[str, Any]:
    """The attributes that the words after the bar give, each the first of the schema's that accepts the word."""
    free = list(schema[label].attributes) if label in schema else []
    found: dict[str, Any] = {a.name: False for a in free if a.kind == "flag"}
    for word in tokens.split():
        attribute = next((a for a in free if _accepts(a, word)), None)
        if attribute is None:
            problems.append(f"{label} takes no {word!r} after the bar")
            continue
        free.remove(attribute)
        found[attribute.name] = True if attribute.kind == "flag" else word
    return found


def _accepts(attribute: Attribute, word: str) -> bool:
    if attribute.kind == "choice":
        return word in attribute.values
    if attribute.kind == "flag":
        return len(word) >= 3 and attribute.name.startswith(word)
    if attribute.kind == "cluster":
        return re.fullmatch(r"[^\W\d_]\d+", word) is not None
    try:
        Count.from_string(word)
    except ValueError:
        return False
    return True
