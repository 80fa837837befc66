"""Dropout that is quick on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class QuickDropout(nn.Dropout):
    """Dropout by a byte of chance an element, of which torch's generator gives eight at once; its own, a number an element, takes a third of a step.

    The rate is that of ``p`` in steps of 1/256.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Any shape -> the same; what is kept grows, so that the mean stays."""
        dropped = round(self.p * 256)
        if not self.training or not dropped:
            return input
        chance = torch.empty(-(-input.numel() // 8), dtype=torch.int64, device=input.device).random_(torch.iinfo(torch.int64).min, None)
        kept = chance.view(torch.uint8)[: input.numel()].view(input.shape) >= dropped
        return input * (kept.to(input.dtype) * (256 / (256 - dropped)))


def quicken(model: nn.Module) -> None:
    """Put it in the place of torch's; there is nothing in it to save."""
    for module in model.modules():
        if type(module) is nn.Dropout and module.p <= 255 / 256:  # above, all bytes would drop
            module.__class__ = QuickDropout
