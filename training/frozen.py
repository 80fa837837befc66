"""Training above layers that are frozen: what they say of a window is computed once, and not at every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from conflict_nlp.adapters import layers
from conflict_nlp.collation import collate
from conflict_nlp.encoding import Window

BATCH = 16


class Given(nn.Module):
    """Stands where an encoder has its embeddings, and passes on what it is given in their place."""

    def forward(self, input_ids: Tensor | None = None, inputs_embeds: Tensor | None = None, **unused: Any) -> Tensor | None:
        """The states [B, T, H]."""
        return inputs_embeds


class FrozenLayers:
    """The embeddings and lowest layers of an encoder, which neither learn nor drop out.

    Args:
        encoder: the encoder under an adapter; it needs ``embeddings`` and a stack of layers, as BERT and its kin have.
        above: how many layers learn.
    """

    def __init__(self, encoder: Any, above: int) -> None:
        stack = layers(encoder)
        holder, _, self.name = stack[0][0].rpartition(".")[0].rpartition(".")
        self.encoder, self.holder = encoder, encoder.get_submodule(holder)
        self.all: nn.ModuleList = getattr(self.holder, self.name)
        self.embeddings = encoder.embeddings
        self.below, self.above = self.all[: len(stack) - above], self.all[len(stack) - above :]

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Inside, the encoder begins with the layers that learn, and takes :meth:`states` for ``inputs_embeds``."""
        self.encoder.embeddings = Given()
        setattr(self.holder, self.name, self.above)
        try:
            yield
        finally:
            self.encoder.embeddings = self.embeddings
            setattr(self.holder, self.name, self.all)

    @torch.no_grad()
    def states(self, windows: Sequence[Window], pad_token_id: int, quiet: bool) -> list[Tensor]:
        """What the frozen layers say of each window, [T, H] on the CPU."""
        self.encoder.eval()
        device = next(self.encoder.parameters()).device
        order = sorted(range(len(windows)), key=lambda i: -len(windows[i].input_ids))
        found: list[Tensor] = [torch.empty(0)] * len(windows)
        setattr(self.holder, self.name, self.below)
        try:
            for start in tqdm(range(0, len(order), BATCH), desc="frozen layers", disable=quiet, mininterval=5):
                part = order[start : start + BATCH]
                batch = collate([windows[i] for i in part], pad_token_id)
                states = self.encoder(input_ids=batch["input_ids"].to(device), attention_mask=batch["attention_mask"].to(device)).last_hidden_state
                for i, row in zip(part, states, strict=True):
                    found[i] = row[: len(windows[i].input_ids)].cpu().clone()
        finally:
            setattr(self.holder, self.name, self.all)
        return found
