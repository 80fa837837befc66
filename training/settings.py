"""A run's configuration, read from YAML and checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from conflict_nlp.adapters import Adapter
from conflict_nlp.modeling import ConflictConfig
from conflict_nlp.schema import CONFLICT, Schema, SchemaError

OWN = {"kwargs", "encoder", "schema", "thresholds", "adapter", "encoder_digest"}  # fields of a ConflictConfig that a run sets itself
FROM_ZERO = ("seed", "documents", "pool")  # of the whole numbers
PRECISIONS = ("auto", "bf16", "no")
PARTS = ("encoder", "tagger", "spans", "links", "attributes", "clusters")  # of a ConflictModel
WRITTEN = {bool: bool, tuple: list, str: str}  # kinds of fields that a YAML has to have as such: anything has a truth, and a word has letters

Section = TypeVar("Section", "TrainingSettings", "DistillationSettings")


class SettingsError(ValueError):
    """A configuration is not usable; the message names the file and the field."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to train. ``warmup`` is a share of all steps; ``ema`` the decay a step of the averaged weights; ``precision`` auto, bf16 or no; ``learn``
    names the parts of the model that learn, the others stay as they are.
    """

    epochs: int = 16
    batch_size: int = 8
    encoder_lr: float = 1.5e-4
    head_lr: float = 6e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    ema: float = 0.998
    clip: float = 1.0
    precision: str = "auto"
    seed: int = 7
    learn: tuple[str, ...] = PARTS


@dataclass(frozen=True)
class DistillationSettings:
    """How to learn from a teacher: annotated documents that an epoch takes (all, if not said), texts without annotation, and of how many (as many as
    all epochs take); what the teacher counts beside the gold, and whether it is asked about annotated texts too, which it may know by heart.
    """

    documents: int = 0
    texts: int = 5000
    pool: int = 0
    weight: float = 1.0
    annotated: bool = True


@dataclass(frozen=True)
class Settings:
    """One YAML of ``configs/``: the encoder's Hub id, fields of ``ConflictConfig``, the training, a schema if it is not the library's, an adapter
    if the encoder is to stay as it is, and the distillation for ``training/distill.py``.
    """

    encoder: str
    model: dict[str, Any] = field(default_factory=dict)
    training: TrainingSettings = TrainingSettings()
    schema: Schema = CONFLICT
    adapter: Adapter | None = None
    distillation: DistillationSettings | None = None


def read_settings(path: Path, changes: Mapping[str, Any] | None = None) -> Settings:
    """Read a configuration.

    Args:
        path: a YAML file.
        changes: fields of the training to set instead.

    Raises:
        SettingsError: the file is missing, is no YAML mapping, or has a field that is unknown or of the wrong type.
        SchemaError: its schema contradicts itself.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("encoder"), str):
        raise SettingsError(f"{path}: encoder is missing: a Hub id or a folder")
    _known(path, "", data, {f.name for f in fields(Settings)})
    model = {**_mapping(path, "model", data.get("model"))}
    _known(path, "model.", model, {*inspect.signature(ConflictConfig).parameters, "encoder_settings"} - OWN)
    given = {**_mapping(path, "training", data.get("training")), **(changes or {})}
    if given.get("precision") is False:
        given["precision"] = "no"  # which YAML 1.1 reads as a truth
    training = _section(path, "training", given, TrainingSettings)
    if training.precision not in PRECISIONS:
        raise SettingsError(f"{path}: training.precision is {training.precision!r}; there are {', '.join(PRECISIONS)}")
    strange = [part for part in training.learn if part not in PARTS]
    if strange or not training.learn:
        raise SettingsError(f"{path}: training.learn names {', '.join(map(repr, strange)) or 'nothing'}; there are {', '.join(PARTS)}")
    distillation = None
    if "distillation" in data:
        distillation = _section(path, "distillation", _mapping(path, "distillation", data["distillation"]), DistillationSettings)
    try:
        schema = CONFLICT if data.get("schema") is None else Schema.from_dict(data["schema"])
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error
    return Settings(data["encoder"], model, training, schema, _adapter(path, data.get("adapter")), distillation)


def _section(path: Path, name: str, data: Mapping[str, Any], kind: type[Section]) -> Section:
    types = {f.name: type(f.default) for f in fields(kind)}
    _known(path, f"{name}.", data, set(types))
    return kind(**{key: _typed(path, f"{name}.{key}", value, types[key]) for key, value in data.items()})


def _adapter(path: Path, value: Any) -> Adapter | None:
    if value is None:
        return None
    fields_of_it = _mapping(path, "adapter", value)
    try:
        return Adapter.from_dict(fields_of_it)
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def _mapping(path: Path, name: str, value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise SettingsError(f"{path}: {name} is {value!r}, not a mapping")
    return value or {}


def _known(path: Path, prefix: str, data: Mapping[str, Any], names: set[str]) -> None:
    if unknown := set(data) - names:
        raise SettingsError(f"{path}: unknown field {', '.join(f'{prefix}{name}' for name in sorted(map(str, unknown)))}; there are {', '.join(sorted(names))}")


def _typed(path: Path, name: str, value: Any, kind: type) -> Any:
    try:
        typed = kind(value) if isinstance(value, WRITTEN.get(kind, object)) else None  # YAML 1.1 reads 1e-4 as text
    except (TypeError, ValueError):
        typed = None
    least = 0 if name.partition(".")[2] in FROM_ZERO else 1
    if typed is None or (kind is int and (typed != value or typed < least)):
        raise SettingsError(f"{path}: {name} is {value!r}, not {f'a whole number from {least}' if kind is int else WRITTEN.get(kind, kind).__name__}")
    return typed
