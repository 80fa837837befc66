"""A run's configuration, read from YAML and checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from conflict_nlp.adapters import Adapter
from conflict_nlp.modeling import ConflictConfig
from conflict_nlp.schema import CONFLICT, Schema, SchemaError

OWN = {"kwargs", "encoder", "schema", "thresholds", "adapter", "encoder_digest"}  # fields of a ConflictConfig that a run sets itself


class SettingsError(ValueError):
    """A configuration is not usable; the message names the file and the field."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to train. ``warmup`` is a share of all steps; ``ema`` the decay a step of the averaged weights; ``precision`` auto, bf16 or no."""

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


@dataclass(frozen=True)
class Settings:
    """One YAML of ``configs/``: the encoder's Hub id, fields of ``ConflictConfig``, the training, a schema if it is not the library's, and an adapter
    if the encoder is to stay as it is.
    """

    encoder: str
    model: dict[str, Any] = field(default_factory=dict)
    training: TrainingSettings = TrainingSettings()
    schema: Schema = CONFLICT
    adapter: Adapter | None = None


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
    model, training = ({**_mapping(path, name, data.get(name))} for name in ("model", "training"))
    _known(path, "model.", model, {*inspect.signature(ConflictConfig).parameters, "encoder_settings"} - OWN)
    training |= changes or {}
    types = {f.name: type(f.default) for f in fields(TrainingSettings)}
    _known(path, "training.", training, set(types))
    values = {name: _typed(path, name, value, types[name]) for name, value in training.items()}
    try:
        schema = CONFLICT if data.get("schema") is None else Schema.from_dict(data["schema"])
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error
    return Settings(data["encoder"], model, TrainingSettings(**values), schema, _adapter(path, data.get("adapter")))


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
        typed = kind(value)  # YAML 1.1 reads 1e-4 as text
    except (TypeError, ValueError):
        typed = None
    if typed is None or (kind is int and (typed != value or typed < 1)):
        raise SettingsError(f"{path}: training.{name} is {value!r}, not {'a whole number from 1' if kind is int else kind.__name__}")
    return typed
