"""How the scripts end where they were given something that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from conflict_nlp.formats.files import FormatError


@contextmanager
def refusing(*kinds: type[Exception]) -> Iterator[None]:
    """An error that is the user's is one line on standard error, or one for each thing that is wrong in a file, and exit status 2.

    Args:
        kinds: the errors that are the user's; if not said, any ``ValueError``, as those of formats, models, settings and cards are, and ``OSError``.
    """
    users = kinds or (ValueError, OSError)
    try:
        yield
    except users as error:
        text = str(error)
        typer.echo(f"error: {text if isinstance(error, FormatError) else (text.splitlines() or [type(error).__name__])[0]}", err=True)
        raise typer.Exit(2) from None
