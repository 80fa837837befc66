"""The commands of docs/ exist, with the options that they are given, and so do the files of the repository that they name."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from conflict_nlp.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every command in the shell blocks of a page."""
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield shlex.split(line.partition(" > ")[0])


def of_this_repository(words: list[str]) -> tuple[Any, list[str]] | None:
    """The command as click has it, and its arguments; ``None`` for other people's."""
    if words[0] == "conflict-nlp":
        return typer.main.get_command(app).commands[words[1]], words[2:]  # type: ignore[attr-defined]
    script = next((n for n, word in enumerate(words) if word.startswith("training/")), None)
    if script is None:
        return None
    alone = typer.Typer()
    alone.command()(importlib.import_module(Path(words[script]).stem).main)
    return typer.main.get_command(alone), words[script + 1 :]


FOUND = [(f"{page.name}: {' '.join(words[:3])}", *found) for page in PAGES for words in commands(page) if (found := of_this_repository(words)) is not None]


def test_there_are_commands() -> None:
    assert len(FOUND) >= 9


@pytest.mark.parametrize(("name", "command", "arguments"), FOUND, ids=[name for name, _, _ in FOUND])
def test_a_command_takes_its_options(name: str, command: Any, arguments: list[str]) -> None:
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= known
    assert all((ROOT / word).exists() for word in arguments if re.match(r"(configs|conflict_nlp|model_cards|training|tests)/", word))


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith(("http", "#")) or (page.parent / target).exists(), target
