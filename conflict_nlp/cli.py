"""The command ``conflict-nlp``."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from conflict_nlp import __version__
from conflict_nlp.checks import check
from conflict_nlp.evaluation.command import ceaf, evaluate
from conflict_nlp.extract import extract
from conflict_nlp.formats.convert import convert

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
for command in (extract, evaluate, ceaf, convert, check):
    app.command()(command)


def _version(show: bool) -> None:
    if show:
        print(f"conflict-nlp {__version__}")
        raise typer.Exit


@app.callback()
def _options(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """Who attacked whom, with what, where and when, who was hurt, and who claims whose sovereignty was breached."""


def main() -> None:
    """Run the command; a user's mistake is one line on standard error and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")  # whatever the locale: texts are in any script
    try:
        app()
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # the reader has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(0) from None
        print(f"conflict-nlp: {_line(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
