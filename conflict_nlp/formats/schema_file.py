"""A schema in a file: YAML or JSON, as :meth:`conflict_nlp.schema.Schema.to_dict` gives it, alone or under ``schema`` in a training's configuration."""

from __future__ import annotations

from typing import Any

from conflict_nlp.formats.files import FormatError, PathLike, decode, read_bytes
from conflict_nlp.formats.jsonl import load
from conflict_nlp.schema import CONFLICT, Schema, SchemaError


def read_schema(path: PathLike | None) -> Schema:
    """The schema of a file; without one, that of conflict reports. YAML needs PyYAML, which comes with ``conflict-nlp[train]``.

    Raises:
        FormatError: the file cannot be read, or is neither YAML nor JSON of a schema.
    """
    if path is None:
        return CONFLICT
    content = read_bytes(path)
    try:
        data = _parse(decode(content), str(path))
        if not isinstance(data, dict):
            raise ValueError("it is no object with a name and labels")
        if "encoder" in data and data.get("schema") is None:  # a training's configuration that names no schema means the library's
            return CONFLICT
        return Schema.from_dict(data.get("schema", data))
    except (ValueError, SchemaError) as error:
        raise FormatError(f"{path}: {' '.join(str(error).split())}") from error


def _parse(text: str, name: str) -> Any:
    if name.endswith(".json"):
        return load(text)
    try:
        import yaml
    except ImportError:
        raise ValueError("reading YAML needs PyYAML: pip install 'conflict-nlp[train]', or write it as .json") from None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"not YAML: {error}") from None
