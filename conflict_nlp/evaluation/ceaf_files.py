"""The files of the GRIT scorer.

Gold is JSON Lines, a document a line: ``{"docid": "TST1-MUC3-0001", "extracts": {"PerpInd": [[["guerrillas", 37], …], …], …}}``, where
a role has entities, an entity mentions, and a mention its string and offset; or, as in the GTT data, the same in ``templates``, which are
merged. Predictions are one JSON object, ``{"10001": {"pred_extracts": {"PerpInd": [["guerrillas"], …], …}}, …}``, with mentions as strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conflict_nlp.evaluation.ceaf import Extracts
from conflict_nlp.formats.files import FormatError, PathLike, decode, read_bytes
from conflict_nlp.formats.jsonl import json_lines, load
from conflict_nlp.formats.muc4 import role_fillers

_DOCUMENT = re.compile(r"[A-Za-z]+(\d)-(?:.*-)?(\d+)")


def document_key(docid: str) -> str:
    """The scorer's name of a document: ``TST1-MUC3-0001`` is ``10001``; any other id stays as it is."""
    match = _DOCUMENT.fullmatch(docid)
    return docid if match is None else str(int(match[1]) * 10_000 + int(match[2]))


def read_gold(path: PathLike) -> dict[str, Extracts]:
    """The gold entities of a file, by document.

    Raises:
        FormatError: the file is not in that format; the message names file and line.
    """
    found: dict[str, Extracts] = {}
    for where, data, problem in json_lines(path):
        if data is None:
            raise FormatError(f"{where}: {problem}")
        docid, extracts = data.get("docid"), data.get("extracts")
        if extracts is None and "templates" in data:
            try:
                extracts = {role: [list(entity) for entity in entities] for role, entities in role_fillers(data).items()}
            except ValueError as error:
                raise FormatError(f"{where}: {error}") from error
        if not isinstance(docid, str) or not isinstance(extracts, dict):
            raise FormatError(f"{where}: a gold document needs a docid and extracts")
        # the scorer drops a gold entity without mentions
        _add(found, where, docid, {role: [e for e in _entities(entities, f"{where}: {role}") if e] for role, entities in extracts.items()})
    return found


def read_predictions(path: PathLike) -> dict[str, Extracts]:
    """The predicted entities of a file, by document.

    Raises:
        FormatError: the file is not in that format; the message names the document.
    """
    try:
        data = load(decode(read_bytes(path)))
    except ValueError as error:
        raise error if isinstance(error, FormatError) else FormatError(f"{path}: {error}") from error
    if not isinstance(data, dict):
        raise FormatError(f"{path}: predictions are one JSON object with the documents by id")
    found: dict[str, Extracts] = {}
    for docid, document in data.items():
        where = f"{path}: {docid}"
        extracts = document.get("pred_extracts") if isinstance(document, dict) else None
        if not isinstance(extracts, dict):
            raise FormatError(f"{where}: the document has no pred_extracts")
        entities_of = {role: list(_entities(entities, f"{where}: {role}")) for role, entities in extracts.items()}
        for role, entities in entities_of.items():
            if not all(entities):
                raise FormatError(f"{where}: {role}: an entity has no mentions: leave it out")
        _add(found, where, docid, entities_of)
    return found


def write_predictions(path: PathLike, predicted: dict[str, Extracts]) -> None:
    """Write predictions for the scorer, without entities that have no mentions; the file appears when all is written.

    Raises:
        FormatError: the folder cannot be written to.
    """
    from conflict_nlp.formats.files import replacing

    data = {document_key(docid): {"pred_extracts": {role: [list(e) for e in entities if e] for role, entities in x.items()}} for docid, x in predicted.items()}
    with replacing(Path(path)) as file:
        file.write(json.dumps(data, indent=1).encode())


def _entities(entities: Any, where: str) -> Iterator[list[str]]:
    if not isinstance(entities, list) or not all(isinstance(e, list) for e in entities):
        raise FormatError(f"{where}: a role is a list of entities, and an entity a list of mentions")
    for entity in entities:
        mentions = [m[0] if isinstance(m, list) and m else m for m in entity]
        if not all(isinstance(m, str) for m in mentions):
            raise FormatError(f"{where}: a mention is a string, or a string with its offset")
        yield mentions


def _add(found: dict[str, Extracts], where: str, docid: str, extracts: Extracts) -> None:
    key = document_key(docid)
    if key in found:
        raise FormatError(f"{where}: the document {docid} is there twice")
    found[key] = extracts
