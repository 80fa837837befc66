"""Adapters: low-rank changes of a frozen encoder, saved without it (Hu et al. 2021, LoRA)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peft import LoraConfig
    from torch import Tensor, nn

    from conflict_nlp.modeling import ConflictModel

PREFIX = "encoder."  # of the encoder's weights among a model's


@dataclass(frozen=True)
class Adapter:
    """What is added to an encoder.

    ``rank`` and ``alpha`` as in the paper (the change counts ``alpha / rank``); ``dropout`` before it, in training; ``layers`` how many of the
    encoder's layers have it, the top ones, so that no gradient goes below; ``targets`` the last names of the linear layers that have it, none for
    all of attention and feed-forward.

    Raises:
        ValueError: a field is out of range.
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    layers: int = 6
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("rank", "layers"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"adapter.{name} is {value!r}, not a whole number from 1")
        for name, least, most in (("alpha", 0.0, float("inf")), ("dropout", 0.0, 1.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < most:
                raise ValueError(f"adapter.{name} is {value!r}, not a number from {least} to {most}")
        if isinstance(self.targets, str) or not all(isinstance(target, str) for target in self.targets):
            raise ValueError(f"adapter.targets is {self.targets!r}, not a list of names")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Adapter:
        """The inverse of :meth:`to_dict`.

        Raises:
            ValueError: a field is unknown or out of range.
        """
        if unknown := sorted(set(data) - {*asdict(cls())}):
            raise ValueError(f"unknown field adapter.{unknown[0]}; there are {', '.join(asdict(cls()))}")
        targets = data.get("targets") or ()
        return cls(**{**data, "targets": tuple(targets) if isinstance(targets, list | tuple) else targets})

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "targets": list(self.targets)}


def undropped(adapter: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Of an adapter, as plain data, what its weights depend on: all but the dropout that they are trained with."""
    return None if adapter is None else {**adapter, "dropout": 0}


def attach(encoder: nn.Module, adapter: Adapter) -> None:
    """Add an adapter that changes nothing yet, and freeze everything else of the encoder.

    Raises:
        ValueError: the encoder has fewer layers, or none of the targets.
        ModuleNotFoundError: peft is not installed.
    """
    from peft.tuners.lora import LoraModel

    LoraModel(encoder, _lora(encoder, adapter), "default")  # changes the encoder in place


def merge(encoder: nn.Module, adapter: Adapter, state: Mapping[str, Tensor]) -> nn.Module:
    """The encoder with a trained adapter added to its weights, so that it costs nothing more; ``state`` is the encoder's part of :func:`kept`.

    Raises:
        ValueError: the state is not of this adapter.
    """
    from peft.tuners.lora import LoraModel

    tuner = LoraModel(encoder, _lora(encoder, adapter), "default")
    restore(encoder, state)
    merged: nn.Module = tuner.merge_and_unload()
    return merged


def restore(encoder: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give an attached adapter its trained weights.

    Raises:
        ValueError: the state is not of this adapter.
    """
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    own = get_peft_model_state_dict(encoder)
    if wrong := sorted(name for name in own.keys() ^ state.keys() | {n for n in own.keys() & state.keys() if own[n].shape != state[n].shape}):
        raise ValueError(f"the adapter's weights do not fit config.json: {', '.join(wrong[:3])}{' …' if len(wrong) > 3 else ''}")
    set_peft_model_state_dict(encoder, {name: tensor.float() for name, tensor in state.items()})


def rest(encoder: nn.Module) -> None:
    """No dropout in the parts of an encoder that are frozen as a whole."""
    for module in encoder.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def lighten(encoder: nn.Module) -> None:
    """Hold the frozen weights in bfloat16, so that training in it need not convert them at every step."""
    import torch

    for parameter in encoder.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.to(torch.bfloat16)


def kept(model: ConflictModel) -> dict[str, Tensor]:
    """The weights that a model's folder keeps: all of them, or of one that is trained with an adapter, that and the heads."""
    state: dict[str, Tensor] = model.state_dict()
    if model.config.adapter is None:
        return state
    from peft import get_peft_model_state_dict

    heads = {name: tensor for name, tensor in state.items() if not name.startswith(PREFIX)}
    return heads | {PREFIX + name: tensor for name, tensor in get_peft_model_state_dict(model.encoder).items()}


def layers(encoder: Any) -> list[tuple[str, nn.Module]]:
    """The layers of a transformer encoder with their names, from the bottom."""
    from torch import nn

    number = encoder.config.num_hidden_layers
    stacks = [(name, module) for name, module in encoder.named_modules() if isinstance(module, nn.ModuleList) and len(module) == number]
    if not stacks:
        raise ValueError(f"{type(encoder).__name__} has no stack of layers: it cannot have an adapter")
    name, stack = stacks[0]
    return [(f"{name}.{i}", layer) for i, layer in enumerate(stack)]


def digest(encoder: nn.Module) -> str:
    """A hash of an encoder's weights, their names and shapes; in half precision, so that a copy that was saved in it counts as the same."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        hashed.update(f"{name} {tuple(tensor.shape)}\n".encode())
        hashed.update(tensor.detach().half().cpu().contiguous().numpy().data)
    return hashed.hexdigest()


def _lora(encoder: nn.Module, adapter: Adapter) -> LoraConfig:
    from peft import LoraConfig
    from torch import nn

    stack = layers(encoder)
    if adapter.layers > len(stack):
        raise ValueError(f"adapter.layers is {adapter.layers}, and the encoder has {len(stack)} layers")
    names = [
        f"{name}.{inner}"
        for name, layer in stack[-adapter.layers :]
        for inner, module in layer.named_modules()
        if isinstance(module, nn.Linear) and (not adapter.targets or inner.rpartition(".")[2] in adapter.targets)
    ]
    if not names:
        raise ValueError(f"the encoder has no linear layers named {', '.join(adapter.targets)}")
    return LoraConfig(r=adapter.rank, lora_alpha=adapter.alpha, lora_dropout=adapter.dropout, target_modules=names)  # type: ignore[arg-type]
