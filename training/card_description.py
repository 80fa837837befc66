"""A model's description, written by hand in YAML, for its card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from conflict_nlp.formats.files import decode, read_bytes

_T = TypeVar("_T")


class CardError(ValueError):
    """A card cannot be written; the message names the file and the field."""


@dataclass(frozen=True)
class Source:
    """Where training texts are from; ``passages`` of it in the training data, 0 where it was not trained on."""

    name: str
    passages: int
    terms: str


@dataclass(frozen=True)
class GoldSet:
    """What a gold set of the results is: a title, its split, and what a reader has to know about its figures."""

    title: str
    split: str
    note: str


@dataclass(frozen=True)
class Training:
    """How the model was trained. ``time`` is only used where the results have no record of the training's log."""

    hardware: str
    energy: str
    time: str = ""


@dataclass(frozen=True)
class Description:
    """A model's hand-written description: the YAML beside its card. All texts are Markdown.

    ``published`` says how its figures stand beside published ones on the same data.
    """

    title: str
    summary: str
    license: str
    language: str
    encoder: str
    encoder_license: str
    uses: list[str]
    misuses: list[str]
    data: list[Source]
    annotation: str
    training: Training
    gold: dict[str, GoldSet]
    limits: list[str]
    failures: list[str]
    reproduce: str
    published: str = ""
    tags: list[str] = field(default_factory=list)


def read_description(path: Path) -> Description:
    """The description of a model.

    Raises:
        CardError: the file is missing or is no YAML, or a field is missing, unknown or of the wrong kind.
    """
    try:
        data = yaml.safe_load(decode(read_bytes(path)))
    except (ValueError, yaml.YAMLError) as error:
        raise CardError(f"{path}: {error}".replace("\n", " ")) from error
    given = dict(_mapping(data, f"{path}"))
    for key in ("uses", "misuses", "limits", "failures", "tags"):
        if key in given and not (isinstance(given[key], list) and all(isinstance(item, str) for item in given[key])):
            raise CardError(f"{path}: {key} should be a list of texts")
    if not isinstance(given.get("data", []), list):
        raise CardError(f"{path}: data should be a list")
    given["data"] = [_record(Source, item, f"{path}: data {number}") for number, item in enumerate(given.get("data", []), 1)]
    given["gold"] = {name: _record(GoldSet, item, f"{path}: gold {name}") for name, item in _mapping(given.get("gold"), f"{path}: gold").items()}
    given["training"] = _record(Training, given.get("training"), f"{path}: training")
    return _record(Description, given, f"{path}")


def _mapping(data: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise CardError(f"{where} should be a mapping of names")
    return data


def _record(kind: type[_T], data: Any, where: str) -> _T:
    """A dataclass from a mapping that has all its fields that need a value, and no others."""
    given = _mapping(data, where)
    known: dict[str, Any] = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    missing = [name for name, f in known.items() if f.default is MISSING and f.default_factory is MISSING and given.get(name) is None]
    if missing or set(given) - set(known):
        problems = [*(f"{name} is missing" for name in missing), *(f"{name} is no field" for name in sorted(set(given) - set(known)))]
        raise CardError(f"{where}: {', '.join(problems)}")
    for name, value in given.items():
        wanted = {"str": str, "int": int}.get(str(known[name].type))
        if wanted is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise CardError(f"{where}: {name} is {json.dumps(value, default=str)}, it should be {'a text' if wanted is str else 'a whole number'}")
    return kind(**given)
