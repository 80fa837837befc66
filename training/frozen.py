"""Training above layers that are frozen: what they say of a window is computed once, and not at every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from examples import by_length
from torch import Tensor, nn

from conflict_nlp.adapters import layers
from conflict_nlp.encoding import Window


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
        found: list[Tensor] = [torch.empty(0)] * len(windows)
        said: list[Any] = []
        # what the layer says, and not what the encoder makes of its last one: some have a norm behind
        hook = self.below[-1].register_forward_hook(lambda _module, _inputs, output: said.append(output[0] if isinstance(output, tuple) else output))
        setattr(self.holder, self.name, self.below)
        try:
            for part, batch in by_length(windows, pad_token_id, device, "frozen layers", quiet):
                self.encoder(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
                for i, row in zip(part, said.pop(), strict=True):
                    found[i] = row[: len(windows[i].input_ids)].cpu().clone()
        finally:
            hook.remove()
            setattr(self.holder, self.name, self.all)
        return found
