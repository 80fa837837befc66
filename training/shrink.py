"""A trained model part of the way back to its bare encoder and to new heads, to learn anew: shrink and perturb (Ash and Adams 2020).

python training/shrink.py MODEL OUTPUT --encoder FOLDER_OR_HUB_ID [--share 0.5] [--seed 0]

A model that goes on whenever there are more passages keeps what it learnt by heart of the first ones. From half-way back it learns faster than from the
bare encoder, and has most of that to learn again. OUTPUT is for ``training/train.py --init``: as it is it labels next to nothing.
"""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Annotated

import torch
import typer
from refusing import refusing
from safetensors.torch import load_file
from settings import OWN
from soup import WEIGHTS, write
from torch import Tensor

from conflict_nlp.adapters import kept
from conflict_nlp.loading import ModelError, locate
from conflict_nlp.modeling import ConflictConfig, ConflictModel
from conflict_nlp.schema import Schema

GIVEN = OWN - {"adapter"}
"""Fields of a configuration that a new model has from its encoder and schema, or not at all."""


def main(
    model: Annotated[Path, typer.Argument(help="The model: its name in the package, a folder, or a Hub id.")],
    output: Annotated[Path, typer.Argument(help="The folder to write.")],
    encoder: Annotated[str, typer.Option(help="Its bare encoder, a folder or Hub id.")],
    share: Annotated[float, typer.Option(help="What its own weights count; the others count the rest.", min=0, max=1)] = 0.5,
    seed: Annotated[int, typer.Option(help="Of the new heads.")] = 0,
) -> None:
    """Mix a model with one that has learnt nothing."""
    with refusing():
        write(locate(model)[0], shrunk(model, encoder, share, seed), output)


def shrunk(model: Path, encoder: str, share: float, seed: int) -> dict[str, Tensor]:
    """The weights, each in the precision that it is kept in.

    Raises:
        ModelError: the model or the encoder cannot be read, or the encoder is another one.
    """
    folder, config = locate(model)
    own = {name: value for name, value in config.items() if name in signature(ConflictConfig).parameters and name not in GIVEN}
    torch.manual_seed(seed)
    fresh = kept(ConflictModel.from_encoder(encoder, Schema.from_dict(config["schema"]), **own))
    weights = load_file(folder / WEIGHTS)
    if strange := next((name for name, weight in weights.items() if name not in fresh or fresh[name].shape != weight.shape), None):
        raise ModelError(f"{encoder} is not the encoder of {model}: {strange} does not fit")
    return {name: torch.lerp(fresh[name].float(), weight.float(), share).to(weight.dtype) for name, weight in weights.items()}


if __name__ == "__main__":
    typer.run(main)
