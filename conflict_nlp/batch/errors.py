"""What can go wrong: with a job, and with a row of its input, which does not stop the job."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from numbers import Number
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


class BatchError(ValueError):
    """A job cannot start or go on; the message names the file and the mend."""


@dataclass(frozen=True)
class RowError:
    """A row that gave no document: its id if it has one, why, and where it stands: the input, and the line or row from 1 (0 where not known)."""

    id: str | None
    reason: str
    source: str = ""
    row: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The error as plain data."""
        return asdict(self)


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: null, NaN, or one of pandas' missing values."""
    # pandas' NA is not to be compared: it refuses to be true or false
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, Number) and value != value)


def read_text(value: Any, max_chars: int) -> tuple[str | None, str]:
    """A cell as a text to label, or what keeps it from being one.

    Bytes are read as UTF-8. Arrow and Parquet hold UTF-8 only, so that a lone surrogate, which JSON can carry, is a mistake too.
    """
    if is_missing(value):
        return None, "the text is missing"
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            return None, f"the text is not UTF-8 at byte {error.start + 1}"
    if not isinstance(value, str):
        kind = "a truth value" if isinstance(value, bool) else "a number" if isinstance(value, int | float) else type(value).__name__
        return None, f"the text is {kind}, not a string"
    if len(value) > max_chars:
        return None, f"the text has {len(value):,} characters, the limit is {max_chars:,}"
    if not value.isascii() and (match := _SURROGATE.search(value)):
        return None, f"the text has a lone surrogate at character {match.start() + 1}"
    return value, ""
