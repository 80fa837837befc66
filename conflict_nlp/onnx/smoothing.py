"""Activations that 8-bit integers hold well: what is large in them moves over to the weights (Xiao et al. 2023, "SmoothQuant").

A matrix of activations has one scale, which its largest number decides; a few columns of an encoder's are far larger than the others, and leave these little
more than zero. Here column j is divided by s_j, and row j of the weights behind it multiplied: in full precision that changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

SHARE = 0.93
"""The exponent alpha of the paper: how much of what is large goes over to the weights. Of 0.75 to 0.95 it keeps most of the scores of ``small``."""
LEAST = 1e-4


class Smoothed(nn.Module):
    """A linear layer behind the division of its input [..., I] by ``scale`` [I]."""

    def __init__(self, layer: nn.Linear, scale: Tensor) -> None:
        super().__init__()
        self.factor = nn.Parameter(1 / scale)
        self.layer = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
        self.layer.weight = nn.Parameter(layer.weight * scale)
        self.layer.bias = layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """Inputs [..., I] -> outputs [..., O] of the layer that it stands for."""
        outputs: Tensor = self.layer(x * self.factor)
        return outputs


@torch.no_grad()
def smooth(encoder: nn.Module, inputs: Iterable[Mapping[str, Any]]) -> None:
    """Put smoothed layers in the place of an encoder's linear ones.

    Args:
        encoder: it is changed in place.
        inputs: what it reads, to see how large the activations become.
    """
    layers = {name: module for name, module in encoder.named_modules() if isinstance(module, nn.Linear)}
    largest = {name: torch.zeros(layer.in_features) for name, layer in layers.items()}

    def watch(name: str) -> Any:
        def seen(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            largest[name] = torch.maximum(largest[name], given[0].abs().flatten(0, -2).amax(0))

        return layers[name].register_forward_pre_hook(seen)

    hooks = [watch(name) for name in layers]
    for batch in inputs:
        encoder(**batch)
    for hook in hooks:
        hook.remove()
    for name, layer in layers.items():
        scale = largest[name].clamp(min=LEAST) ** SHARE / layer.weight.abs().amax(0).clamp(min=LEAST) ** (1 - SHARE)
        parent, _, own = name.rpartition(".")
        setattr(encoder.get_submodule(parent), own, Smoothed(layer, scale / scale.mean()))
