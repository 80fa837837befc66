"""Finding a format by its name, or by the name or the first line of a file."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from conflict_nlp import formats
from conflict_nlp.formats.base import Format
from conflict_nlp.formats.files import FormatError, PathLike
from conflict_nlp.formats.jsonl import json_lines

# modules that are no format; the others of this package are imported when a format is looked up
_INNER = {"base", "brat_standoff", "convert", "files", "jsonarray", "labelstudio_config", "line_attributes"}
_INNER |= {"records", "registry", "schema_file", "tokens", "uima_layers", "units"}


@cache
def all_formats() -> dict[str, Format]:
    """Every format, by name. The modules are imported here for the first time; the libraries that they need, only in reading or writing."""
    found: list[Format] = []
    for module in pkgutil.iter_modules(formats.__path__):
        if module.name not in _INNER:
            format = getattr(importlib.import_module(f"{formats.__name__}.{module.name}"), "FORMAT", None)
            found += [format] if isinstance(format, Format) else []
    return {format.name: format for format in sorted(found, key=lambda f: f.name)}


def get(name: str) -> Format:
    """The format of this name.

    Raises:
        FormatError: there is none; the message lists those that there are.
    """
    try:
        return all_formats()[name]
    except KeyError:
        raise FormatError(f"there is no format {name!r}, only {', '.join(all_formats())}") from None


def guess_output(path: PathLike) -> Format:
    """The format that a file name means.

    Raises:
        FormatError: the name says nothing; the message lists the formats.
    """
    if format := _by_name(Path(path)):
        return format
    names = ", ".join(format.name for format in all_formats().values() if format.writes)
    raise FormatError(f"{path}: the name does not tell the format: say --to and one of {names}")


def guess_input(path: PathLike) -> Format:
    """The format that a file name means, and for JSON Lines its first object.

    Raises:
        FormatError: neither tells.
    """
    format = _by_name(Path(path))
    if format is not None and format.name == "jsonl":
        first = next((data for _, data, _ in json_lines(path)), None)
        return next((f for f in all_formats().values() if first is not None and f.recognises is not None and f.recognises(first)), format)
    if format is not None:
        return format
    if Path(path).is_dir():
        return _by_folder(Path(path))
    raise FormatError(f"{path}: the name does not tell the format: say --from and one of {', '.join(all_formats())}")


def _by_name(path: Path) -> Format | None:
    name = path.name.lower().removesuffix(".gz")
    fitting = [(len(suffix), format) for format in all_formats().values() for suffix in format.suffixes if name.endswith(suffix)]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _by_folder(path: Path) -> Format:
    if (path / "dataset_info.json").is_file():
        return get("datasets")
    if any(path.glob("*.xmi")):
        return get("uima")
    if any(path.rglob("*.ann")):
        return get("brat")
    if any(path.rglob("entities.json")):
        return get("re3d")
    raise FormatError(f"{path}: a folder without .ann, .xmi, dataset_info.json or entities.json: say --from and one of {', '.join(all_formats())}")
