"""A trained model as the teacher of another: what it says of the student's texts, and of the spans that the student proposes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from examples import by_length
from safetensors.torch import load_file, save_file
from torch import Tensor

from conflict_nlp.encoding import Window
from conflict_nlp.losses import Logits
from conflict_nlp.modeling import ConflictModel
from conflict_nlp.proposal import Candidates, propose


@dataclass(frozen=True)
class Lesson:
    """A batch as the teacher sees it: ``words`` [B, W, H] of its encoder, ``tag_logits`` [B, W, L, 3], and the spans that it proposes."""

    words: Tensor
    tag_logits: Tensor
    candidates: Candidates


class Teacher:
    """Its encoder reads every window once, before the training; its heads, which are cheap, score in each batch what the student proposes.

    Args:
        model: the trained model, on its device. Its tokenizer has to split texts into the same words as the student's, and its vocabulary
            may be another.
    """

    def __init__(self, model: ConflictModel) -> None:
        self.model = model.eval().requires_grad_(False)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def read(self, windows: Sequence[Window], pad_token_id: int, quiet: bool, file: Path) -> list[Tensor]:
        """What the encoder says of the words of each window, [W, H] in half precision; kept in ``file`` for a run that is resumed."""
        sizes = [len(window.word_tokens) for window in windows]
        if not file.exists():
            first = torch.tensor([0, *sizes]).cumsum(0).tolist()
            states = torch.empty(first[-1], self.model.encoder.config.hidden_size, dtype=torch.float16)
            for part, batch in by_length(windows, pad_token_id, self.model.device, "teacher", quiet):
                words = self.model.encode(batch["input_ids"], batch["attention_mask"], batch["word_tokens"])
                for i, row in zip(part, words, strict=True):
                    states[first[i] : first[i + 1]] = row[: sizes[i]]
            beside = file.with_suffix(f".{os.getpid()}.partial")  # all processes of a run write the same
            save_file({"states": states}, beside)
            beside.replace(file)
        return list(load_file(file)["states"].split(sizes))

    @torch.no_grad()
    def lesson(self, words: Tensor, word_mask: Tensor) -> Lesson:
        """What the tagger says of a batch of states."""
        words = words.to(self.model.tagger.weight.dtype)
        tag_logits = self.model.tag(words)
        return Lesson(words, tag_logits, propose(tag_logits.softmax(-1), word_mask, self.model.config.max_starts))

    @torch.no_grad()
    def score(self, lesson: Lesson, word_mask: Tensor, candidates: Candidates) -> Logits:
        """What the other heads say of some candidates."""
        return self.model.score(lesson.words, lesson.tag_logits, word_mask, candidates)
