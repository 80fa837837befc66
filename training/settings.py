"""A run's configuration, read from YAML and checked."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from conflict_nlp.schema import CONFLICT, Schema


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
    """One YAML of ``configs/``: the encoder's Hub id, fields of ``ConflictConfig``, the training, and a schema if it is not the library's."""

    encoder: str
    model: dict[str, Any] = field(default_factory=dict)
    training: TrainingSettings = TrainingSettings()
    schema: Schema = CONFLICT


def read_settings(path: Path) -> Settings:
    """Read a configuration.

    Raises:
        SettingsError: the file is missing, is no YAML mapping, or has a field that is unknown or of the wrong type.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("encoder"), str):
        raise SettingsError(f"{path}: encoder is missing: a Hub id or a folder")
    if unknown := set(data) - {f.name for f in fields(Settings)}:
        raise SettingsError(f"{path}: unknown field {', '.join(sorted(map(str, unknown)))}")
    given = data.get("training") or {}
    known = {f.name: type(f.default) for f in fields(TrainingSettings)}
    if unknown := set(given) - set(known):
        raise SettingsError(f"{path}: unknown field training.{', '.join(sorted(map(str, unknown)))}")
    values = {}
    for name, value in given.items():
        try:
            values[name] = known[name](value)  # YAML 1.1 reads 1e-4 as text
        except (TypeError, ValueError):
            raise SettingsError(f"{path}: training.{name} is {value!r}, not {known[name].__name__}") from None
    schema = CONFLICT if data.get("schema") is None else Schema.from_dict(data["schema"])
    return Settings(data["encoder"], dict(data.get("model") or {}), TrainingSettings(**values), schema)
