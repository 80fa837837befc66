"""The mean of the weights of models that went on from one another or from one start, a uniform soup (Wortsman et al. 2022): better than each, at no cost.

python training/soup.py MODEL MODEL [MODEL …] OUTPUT

OUTPUT gets the configuration and the tokenizer of the first MODEL; its thresholds are to be tuned anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from refusing import refusing
from safetensors.torch import load_file, save_file
from torch import Tensor

from conflict_nlp.adapters import undropped
from conflict_nlp.loading import FILES, ModelError, locate

# what models of one soup may differ in, beside the dropout of an adapter
FREE = {"thresholds", "loss_weights", "head_dropout", "dtype", "transformers_version"}
WEIGHTS = "model.safetensors"


def main(folders: Annotated[list[Path], typer.Argument(metavar="MODEL MODEL [MODEL …] OUTPUT", help="The models' folders, then that of their mean.")]) -> None:
    """Average the weights."""
    *models, output = folders
    with refusing():
        if len(models) < 2:
            raise ModelError("give two models or more, and the folder to write")
        write(models[0], mean(models), output)


def write(model: Path, weights: Mapping[str, Tensor], output: Path) -> None:
    """A model with other weights; written beside, then renamed.

    Raises:
        ModelError: the folder to write is there already.
    """
    if output.exists():
        raise ModelError(f"{output} is there already: give a folder that is not")
    beside = output.with_name(output.name + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name in FILES:
        if name != WEIGHTS and (model / name).is_file():
            shutil.copy(model / name, beside)
    save_file(dict(weights), beside / WEIGHTS, metadata={"format": "pt"})
    beside.rename(output)


def mean(models: Sequence[Path]) -> dict[str, Tensor]:
    """The weights' mean, each in the precision that it is kept in.

    Raises:
        ModelError: a model cannot be read, or is of another make than the first.
    """
    first = make(locate(models[0])[1])
    if strange := next((model for model in models if make(locate(model)[1]) != first), None):
        raise ModelError(f"{strange} is of another make than {models[0]}: only models with one configuration have a mean")
    states = [load_file(model / WEIGHTS) for model in models]
    return {name: torch.stack([state[name].double() for state in states]).mean(0).to(kept.dtype) for name, kept in states[0].items()}


def make(config: Mapping[str, Any]) -> dict[str, Any]:
    """Of a configuration what the weights depend on."""
    return {name: value for name, value in config.items() if name not in FREE} | {"adapter": undropped(config.get("adapter"))}


if __name__ == "__main__":
    typer.run(main)
