"""Documents -> training examples, in batches of similar length."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Sampler

from conflict_nlp.collation import collate, collate_gold
from conflict_nlp.document import Document
from conflict_nlp.encoding import Window, Windower, WindowLabels, window_labels
from conflict_nlp.schema import Schema


@dataclass(frozen=True)
class Example:
    """One window with its gold, and the states [T, H] of frozen layers where there are some."""

    window: Window
    labels: WindowLabels
    states: Tensor | None = None


def examples(documents: Sequence[Document], windower: Windower, schema: Schema) -> list[Example]:
    """Every window of every document."""
    return [Example(window, window_labels(window, document, schema)) for document in documents for window in windower.windows(document.text)]


class LengthBatches(Sampler[list[int]]):
    """Batches of windows of similar length, in an order that the seed and the epoch decide."""

    POOL = 50  # batches that are sorted by length together

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        rng = random.Random(self.seed * 1_000_003 + self.epoch)
        order = rng.sample(range(len(self.lengths)), len(self.lengths))
        pool = self.POOL * self.batch_size
        batches = []
        for start in range(0, len(order), pool):
            part = sorted(order[start : start + pool], key=lambda i: self.lengths[i])
            batches += [part[i : i + self.batch_size] for i in range(0, len(part), self.batch_size)]
        rng.shuffle(batches)
        return iter(batches)


def loader(data: Sequence[Example], batches: LengthBatches, pad_token_id: int) -> DataLoader[Example]:
    """Batches as keyword arguments of the model's ``forward``."""

    def collator(batch: list[Example]) -> dict[str, object]:
        inputs: dict[str, object] = {**collate([e.window for e in batch], pad_token_id), "gold": collate_gold([e.labels for e in batch])}
        states = [e.states for e in batch if e.states is not None]
        return {**inputs, "states": pad_sequence(states, batch_first=True)} if states else inputs

    return DataLoader(data, batch_sampler=batches, collate_fn=collator)  # type: ignore[arg-type]
