"""Texts -> examples with what a teacher says of their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from examples import Example, Pool
from settings import DistillationSettings
from teacher import Teacher

from conflict_nlp.encoding import Window, Windower


@dataclass(frozen=True)
class Lessons:
    """A teacher, and texts without annotation to learn from it.

    ``windower`` and ``pad_token_id`` are those of the teacher's tokenizer; ``file`` keeps what its encoder said, for a run that is resumed.
    """

    teacher: Teacher
    windower: Windower
    pad_token_id: int
    texts: Sequence[str]
    settings: DistillationSettings
    file: Path

    def examples(self, annotated: Sequence[Example], texts: Sequence[str], windower: Windower, quiet: bool) -> list[Example]:
        """The annotated examples, which are all windows of ``texts``, and behind them those without annotation, with the teacher's states of what it
        is asked about.

        Raises:
            ValueError: teacher and student do not cut the texts into the same words.
        """
        bare = [Example(window, None) for text in self.texts for window in windower.windows(text)]
        if self.settings.annotated:
            return self._taught([*annotated, *bare], [*texts, *self.texts], quiet)
        return [*annotated, *self._taught(bare, self.texts, quiet)]

    def _taught(self, asked: Sequence[Example], texts: Sequence[str], quiet: bool) -> list[Example]:
        theirs = [window for text in texts for window in self.windower.windows(text)]
        if len(theirs) != len(asked) or not all(map(same_words, theirs, (e.window for e in asked))):
            raise ValueError("teacher and student cut texts into other words: their tokenizers have to split alike, with the same window and overlap")
        states = self.teacher.read(theirs, self.pad_token_id, quiet, self.file)
        return [replace(example, taught=words) for example, words in zip(asked, states, strict=True)]

    def pools(self, annotated: int, windows: int) -> list[Pool]:
        """The examples of :meth:`examples`, those that are annotated and the others, and as many of each as the settings say for an epoch."""
        others = range(annotated, windows)
        return [Pool(range(annotated), min(self.settings.documents or annotated, annotated)), Pool(others, min(self.settings.texts, len(others)))]


def same_words(left: Window, right: Window) -> bool:
    """Whether two windows, of different tokenizers, hold the same words."""
    return np.array_equal(left.starts, right.starts) and np.array_equal(left.ends, right.ends)
