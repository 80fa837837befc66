"""The command ``conflict-nlp``."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from conflict_nlp import __version__
from conflict_nlp.batch.command import batch
from conflict_nlp.checks import check
from conflict_nlp.evaluation.command import ceaf, evaluate
from conflict_nlp.extract import extract
from conflict_nlp.formats.convert import convert
from conflict_nlp.suggestion.command import suggest

# click's base of usage errors; newer releases of typer have click inside, older ones beside
UsageMistake: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
for command in (extract, evaluate, ceaf, convert, check, suggest, batch):
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
            # whatever the locale: texts are in any script; and a message has to come out whatever name is in it
            stream.reconfigure(encoding="utf-8", errors="backslashreplace" if stream is sys.stderr else "strict")
    try:
        raise SystemExit(app(standalone_mode=False))
    except UsageMistake as error:
        _fail(error.format_message())
    except typer.Abort:
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except (ValueError, OSError, RuntimeError) as error:  # a RuntimeError is torch's, out of memory say
        _fail(str(error).strip() or type(error).__name__)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _fail(message: str) -> NoReturn:
    print(f"conflict-nlp: {message.splitlines()[0]}", file=sys.stderr)
    raise SystemExit(2) from None
