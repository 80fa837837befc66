"""How the scripts end where they were given something that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def refusing() -> Iterator[None]:
    """An error that is the user's is one line on standard error, and exit status 2."""
    try:
        yield
    except (ValueError, OSError) as error:  # those of formats, models, settings and cards are ValueErrors with a message for the user
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
