"""A folder belongs to one run: its mark tells a run that goes on from another one."""

from __future__ import annotations

from pathlib import Path

from settings import SettingsError

from conflict_nlp.formats.files import replacing

MARK = "mark"


def claim(output: Path, mark: str) -> None:
    """Take a folder for a run, or go on with the run that it has.

    Raises:
        SettingsError: it holds a run with other settings or data.
    """
    output.mkdir(parents=True, exist_ok=True)
    path = output / MARK
    if path.is_file() and path.read_text(encoding="utf-8") != mark:
        raise SettingsError(f"{output} holds a run with other settings or data: name another --output, or remove it")
    with replacing(path) as file:
        file.write(mark.encode())
