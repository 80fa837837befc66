"""What training does otherwise on a CPU, where it is quicker so."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel


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


def quicken(model: nn.Module, device: torch.device) -> None:
    """Put it in the place of torch's on a CPU; there is nothing in it to save."""
    if device.type != "cpu":
        return
    for module in model.modules():
        if type(module) is nn.Dropout and module.p <= 255 / 256:  # above, all bytes would drop
            module.__class__ = QuickDropout


def quick_attention(accelerator: Accelerator) -> AbstractContextManager[None]:
    """Inside, attention is computed in the way that is quickest in training: in bfloat16 on a CPU the fused kernel takes twice as long as plain products."""
    slow = accelerator.device.type == "cpu" and accelerator.mixed_precision == "bf16"
    return sdpa_kernel(SDPBackend.MATH) if slow else nullcontext()
