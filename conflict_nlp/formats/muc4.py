"""MUC-4 role fillers (MUC-4 1992) in the JSON Lines of GRIT and GTT (Du et al. 2021): ``docid``, ``doctext``, and ``extracts`` or ``templates``.

Both name entities a role, an entity by its mentions, and a mention by its string and the offset where it stands first. Of ``templates``, which are
incidents, entities of one role that share a mention are one. Every occurrence of a mention is a span, and the spans of one entity share their
``entity``; where two spans of one label and place would be of two entities, the first has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from conflict_nlp.formats.base import Format, read_only
from conflict_nlp.formats.files import FormatError, PathLike
from conflict_nlp.formats.jsonl import json_lines
from conflict_nlp.formats.records import Record, empty
from conflict_nlp.schema import Attribute, Label, Schema

ROLES = ("PerpInd", "PerpOrg", "Target", "Victim", "Weapon")
MUC4 = Schema("muc4", tuple(Label(role, attributes=(Attribute("entity", "cluster"),)) for role in ROLES))
"""The five roles that CEAF-REE scores, none of them an anchor."""

Mentions = dict[str, int]
"""The mentions of an entity, each with the offset where it stands first."""


def read(path: Path, schema: Schema) -> Iterator[Record]:
    """The documents of a file.

    Raises:
        FormatError: the file cannot be read, or the schema lacks one of the roles.
    """
    if missing := [role for role in ROLES if role not in schema]:
        raise FormatError(f"{path}: the schema {schema.name} lacks {', '.join(missing)}: say --schema configs/muc4.yaml")
    return empty(path, _records(path))


def texts(path: PathLike) -> Iterator[tuple[str, str]]:
    """The id and the text of each document of a file, annotated or not.

    Raises:
        FormatError: a line is no document; the message names file and line.
    """
    for where, data, problem in json_lines(path):
        if data is None or not isinstance(data.get("docid"), str) or not isinstance(data.get("doctext"), str):
            raise FormatError(f"{where}: {problem or 'a document has a docid and a doctext'}")
        yield data["docid"], data["doctext"]


def role_fillers(data: Mapping[str, Any]) -> dict[str, list[Mentions]]:
    """The entities of every role of a document.

    Raises:
        ValueError: the document has neither ``extracts`` nor ``templates``, or they are not in the format.
    """
    extracts, templates = data.get("extracts"), data.get("templates")
    if isinstance(extracts, dict):
        return {role: list(_entities(extracts, role)) for role in ROLES}
    if not isinstance(templates, list) or not all(isinstance(template, dict) for template in templates):
        raise ValueError("a document has extracts, an object, or templates, a list of objects")
    return {role: merged(entity for template in templates for entity in _entities(template, role)) for role in ROLES}


def merged(entities: Iterable[Mentions]) -> list[Mentions]:
    """Entities, of which those that share a mention are one."""
    found: list[Mentions] = []
    for entity in entities:
        mentions = dict(entity)
        for other in [e for e in found if e.keys() & mentions.keys()]:
            found.remove(other)
            mentions = {**other, **mentions}
        found.append(mentions)
    return found


def _entities(roles: Mapping[str, Any], role: str) -> Iterator[Mentions]:
    entities = roles.get(role, [])
    if not isinstance(entities, list) or not all(isinstance(entity, list) for entity in entities):
        raise ValueError(f"{role} is a list of entities, and an entity a list of mentions")
    for entity in entities:
        for mention in entity:
            if not isinstance(mention, list) or len(mention) != 2 or not isinstance(mention[0], str) or not mention[0].strip() or type(mention[1]) is not int:
                raise ValueError(f"{role}: a mention is a string with its offset, not {mention!r:.60}")
        if entity:
            yield dict(entity)


def _records(path: Path) -> Iterator[Record]:
    for where, data, problem in json_lines(path):
        if data is None:
            yield Record(where, problems=(problem,))
            continue
        text = data.get("doctext")
        if not isinstance(text, str):
            yield Record(where, problems=("the document has no doctext",))
            continue
        problems: list[str] = []
        try:
            spans = _spans(text, role_fillers(data), problems)
        except ValueError as error:
            spans, problems = [], [str(error)]
        dropped = ("the templates' types and borders",) if data.get("templates") else ()
        yield Record(where, {"id": data.get("docid"), "text": text, "spans": spans, "links": []}, tuple(problems), dropped)


def _spans(text: str, fillers: Mapping[str, list[Mentions]], problems: list[str]) -> list[dict[str, Any]]:
    found: dict[tuple[int, int, str], str] = {}
    names = (f"e{number}" for number in range(1, 1 + sum(map(len, fillers.values()))))
    for role, entities in fillers.items():
        for entity, name in zip(entities, names, strict=False):
            for words, offset in entity.items():
                places = list(occurrences(words, text))
                if not places and text[offset : offset + len(words)] == words:  # a part of a word
                    places = [(offset, offset + len(words))]
                if not places:
                    problems.append(f"{role}: {words!r:.60} is not in the text")
                for start, end in places:
                    found.setdefault((start, end, role), name)
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -item[0][1], item[0][2]))
    return [
        {"id": f"T{number}", "label": role, "start": start, "end": end, "text": text[start:end], "entity": name}
        for number, ((start, end, role), name) in enumerate(ordered, 1)
    ]


def occurrences(words: str, text: str) -> Iterator[tuple[int, int]]:
    """Where words stand in a text, as whole words, in any case and with any white space between them."""
    pattern = r"\s+".join(map(re.escape, words.split()))
    before, after = (r"(?<!\w)" if words.strip()[0].isalnum() else ""), (r"(?!\w)" if words.strip()[-1].isalnum() else "")
    return (match.span() for match in re.finditer(before + pattern + after, text, re.IGNORECASE))


def _recognises(data: Mapping[str, Any]) -> bool:
    return "docid" in data and "doctext" in data


FORMAT = Format("muc4", "MUC-4 role fillers as GRIT and GTT have them (read only)", (), read, read_only, recognises=_recognises)
