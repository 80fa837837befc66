"""The average of a model's weights over the steps of training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from conflict_nlp.modeling import ConflictModel


class Averages:
    """An exponential moving average of the weights that are trained.

    Args:
        model: what is trained; frozen weights are left out.
        decay: what a step leaves of the average before.
    """

    def __init__(self, model: ConflictModel, decay: float) -> None:
        self.trained = nn.ParameterList(parameter for parameter in model.parameters() if parameter.requires_grad)
        self.average = AveragedModel(self.trained, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def update(self) -> None:
        """Take the weights of a step in."""
        self.average.update_parameters(self.trained)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the model has the averages for its weights."""
        with torch.no_grad():
            own = [parameter.clone() for parameter in self.trained]
            _copy(self.average.module, self.trained)
        try:
            yield
        finally:
            with torch.no_grad():
                _copy(own, self.trained)

    def state_dict(self) -> dict[str, Any]:
        """For accelerate."""
        return self.average.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """For accelerate."""
        self.average.load_state_dict(state)


def _copy(source: Any, target: nn.ParameterList) -> None:
    for value, parameter in zip(source, target, strict=True):
        parameter.copy_(value)
