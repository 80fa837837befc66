"""Documents -> training examples, in batches of similar length."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Sampler
from tqdm import tqdm

from conflict_nlp.collation import collate, collate_gold
from conflict_nlp.document import Document
from conflict_nlp.encoding import Window, Windower, WindowLabels, window_labels
from conflict_nlp.schema import Schema

READ = 16  # windows that are read together, where nothing is trained


@dataclass(frozen=True)
class Example:
    """One window with its gold, if it is annotated; the states [T, H] of frozen layers, and the words [W, H] of a teacher, where there are some."""

    window: Window
    labels: WindowLabels | None
    states: Tensor | None = None
    taught: Tensor | None = None


def examples(documents: Sequence[Document], windower: Windower, schema: Schema) -> list[Example]:
    """Every window of every document."""
    return [Example(window, window_labels(window, document, schema)) for document in documents for window in windower.windows(document.text)]


def by_length(windows: Sequence[Window], pad_token_id: int, device: torch.device, name: str, quiet: bool) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Every window once, the longest first, for an encoder to read: the places of a batch, and its tensors on the device."""
    order = sorted(range(len(windows)), key=lambda i: -len(windows[i].input_ids))
    for start in tqdm(range(0, len(order), READ), desc=name, disable=quiet, mininterval=5):
        places = order[start : start + READ]
        yield places, {key: tensor.to(device) for key, tensor in collate([windows[i] for i in places], pad_token_id).items()}


@dataclass(frozen=True)
class Pool:
    """Examples of one kind, by their places, and how many of them an epoch takes; if not all, then others in the next."""

    places: range
    number: int

    def of_epoch(self, seed: int, epoch: int, rng: random.Random) -> list[int]:
        """The places of an epoch, in no order."""
        if self.number == len(self.places):
            return rng.sample(self.places, self.number)
        order = random.Random(seed).sample(self.places, len(self.places))
        return [order[i % len(order)] for i in range(epoch * self.number, (epoch + 1) * self.number)]


class LengthBatches(Sampler[list[int]]):
    """Batches of windows of similar length, in an order that the seed and the epoch decide.

    Args:
        lengths: of all windows, in tokens.
        batch_size: windows in a batch.
        seed: of the order.
        pools: examples that share no batch; without, all of them are one pool.
        processes: that share the batches. With more than one, examples of a pool come twice in an epoch until its last batch is full, since accelerate
            drops a round of batches, or hangs, where one of them is short.
    """

    SORTED = 50  # batches that are sorted by length together

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, pools: Sequence[Pool] = (), processes: int = 1) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.pools = pools or [Pool(range(len(lengths)), len(lengths))]
        self.full = processes > 1
        self.epoch = 0

    def __len__(self) -> int:
        return sum(-(-pool.number // self.batch_size) for pool in self.pools)

    def __iter__(self) -> Iterator[list[int]]:
        rng = random.Random(self.seed * 1_000_003 + self.epoch)
        size = self.SORTED * self.batch_size
        batches = []
        for pool in self.pools:
            order = pool.of_epoch(self.seed, self.epoch, rng)
            if self.full and order:
                order += list(islice(cycle(order), -len(order) % self.batch_size))
            for start in range(0, len(order), size):
                part = sorted(order[start : start + size], key=lambda i: self.lengths[i])
                batches += [part[i : i + self.batch_size] for i in range(0, len(part), self.batch_size)]
        rng.shuffle(batches)
        return iter(batches)


def loader(data: Sequence[Example], batches: LengthBatches, pad_token_id: int) -> DataLoader[Example]:
    """Batches as keyword arguments of the model's ``forward``."""

    def collator(batch: list[Example]) -> dict[str, object]:
        inputs: dict[str, object] = {**collate([e.window for e in batch], pad_token_id)}
        if gold := [e.labels for e in batch if e.labels is not None]:
            inputs["gold"] = collate_gold(gold)
        for name in ("states", "taught"):
            if rows := [row for e in batch if (row := getattr(e, name)) is not None]:
                inputs[name] = pad_sequence(rows, batch_first=True)
        return inputs

    return DataLoader(data, batch_sampler=batches, collate_fn=collator)  # type: ignore[arg-type]
