"""Which windows the model reads together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conflict_nlp.decoding import WindowReading
from conflict_nlp.encoding import Window

BATCH_TOKENS = {"cpu": 1024, "mps": 16_384, "cuda": 32_768}
"""Tokens, padding included, that fill a device: more do not fit the caches of a processor, and fewer leave a GPU idle."""

LOOKAHEAD = 8  # batches that are read ahead, so that windows of one length can share a batch


@dataclass
class Job:
    """A text under way: its windows' readings, in order, as they arrive."""

    text: str
    readings: list[WindowReading | None] = field(default_factory=list)
    missing: int = 0


Waiting: TypeAlias = tuple[Job, int, Window]
"""A window that waits for the model, and the place of its reading."""


@dataclass(frozen=True)
class BatchLimit:
    """What the model reads at once: so many windows or, where ``tokens`` is given, as many as give so many tokens with their padding.

    Where it reads windows ``alone``, each is a batch, and the limit says how many are read ahead.
    """

    windows: int = 1
    tokens: int | None = None
    alone: bool = False

    @property
    def texts(self) -> int:
        """How many texts may be under way."""
        return LOOKAHEAD * (self.windows if self.tokens is None else max(1, self.tokens // 32))

    def reached(self, windows: int, tokens: int) -> bool:
        """Whether so much is waiting that the model is to read it."""
        return windows >= LOOKAHEAD * self.windows if self.tokens is None else tokens >= LOOKAHEAD * self.tokens

    def batches(self, waiting: Sequence[Waiting]) -> Iterator[list[Waiting]]:
        """Windows of about one length together, the longest first."""
        ordered = sorted(waiting, key=lambda item: -len(item[2].input_ids))
        start = 0
        while start < len(ordered):
            fit = self.windows if self.tokens is None else max(1, self.tokens // len(ordered[start][2].input_ids))
            size = 1 if self.alone else fit
            yield ordered[start : start + size]
            start += size


def padded(windows: Sequence[Window], pad_token_id: int) -> dict[str, npt.NDArray[Any]]:
    """``input_ids`` and ``attention_mask`` [B, T], ``word_tokens`` and ``word_mask`` [B, W], padded to the longest."""
    tokens = max(len(w.input_ids) for w in windows)
    words = max(len(w.word_tokens) for w in windows)
    input_ids = np.full((len(windows), tokens), pad_token_id, dtype=np.int64)
    attention_mask = np.zeros((len(windows), tokens), dtype=np.int64)
    word_tokens = np.zeros((len(windows), words), dtype=np.int64)
    word_mask = np.zeros((len(windows), words), dtype=np.bool_)
    for row, window in enumerate(windows):
        input_ids[row, : len(window.input_ids)] = window.input_ids
        attention_mask[row, : len(window.input_ids)] = 1
        word_tokens[row, : len(window.word_tokens)] = window.word_tokens
        word_mask[row, : len(window.word_tokens)] = True
    return {"input_ids": input_ids, "attention_mask": attention_mask, "word_tokens": word_tokens, "word_mask": word_mask}


def padded_tokens(batch: Sequence[Waiting]) -> int:
    """The tokens of a batch once it is padded to its longest window."""
    return len(batch) * max(len(window.input_ids) for _, _, window in batch)
