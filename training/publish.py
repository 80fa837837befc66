"""Publish a model on the Hugging Face Hub: its weights, settings and tokenizer, and its card, in one commit.

python training/publish.py MODEL_FOLDER OWNER/NAME [--card model_cards/x.md] [--private] [--encoder FOLDER]

Checkpoints, logs and scores stay behind. Anyone then loads it with ``conflict_nlp.load("OWNER/NAME")``. Log in before, with ``hf auth login`` or ``HF_TOKEN``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from huggingface_hub import CommitOperationAdd, HfApi, get_token
from refusing import refusing

from conflict_nlp.loading import FILES, ModelError, load_pretrained

CARD = "README.md"


class PublishError(ValueError):
    """A model cannot be published; the message says why."""


def files_of(model: Path, card: Path | None = None) -> dict[str, Path]:
    """The files to publish, by their names on the Hub: what :func:`conflict_nlp.load` reads, and the card, if need be the one in the folder.

    Raises:
        PublishError: the card is no file.
    """
    if card is not None and not card.is_file():
        raise PublishError(f"{card}: there is no such card")
    card = card if card is not None else model / CARD
    found = {name: model / name for name in FILES if (model / name).is_file()}
    return {**found, CARD: card} if card.is_file() else found


def publish(model: Path, name: str, card: Path | None = None, private: bool = False, encoder: Path | None = None) -> str:
    """Publish a model, in a new repository or as a new version in one that is there.

    Args:
        model: a folder that ``training/train.py`` wrote.
        name: ``OWNER/NAME`` on the Hub.
        card: a model card, Markdown.
        private: whether a new repository is seen by its owner alone.
        encoder: of a model that is an adapter, the folder of its encoder, to see that the model loads.

    Returns:
        The address of the repository.

    Raises:
        PublishError: nobody is logged in, the card is missing, or the Hub refuses.
        conflict_nlp.ModelError: the folder holds no model that can be loaded.
    """
    if not model.is_dir():
        raise ModelError(f"there is no folder {model}")
    load_pretrained(model, encoder)  # what cannot be loaded is not published
    files = files_of(model, card)
    if get_token() is None:
        raise PublishError("nobody is logged in to the Hub: run `hf auth login`, or set HF_TOKEN")
    api = HfApi()
    try:
        address = api.create_repo(name, private=private, exist_ok=True)
        operations = [CommitOperationAdd(path_in_repo=name_there, path_or_fileobj=file) for name_there, file in files.items()]
        api.create_commit(name, operations, commit_message=f"{model.resolve().name}, by conflict-nlp")
    except Exception as error:  # any of the client's and the network's errors ends here
        raise PublishError(f"{name}: the Hub did not take it: {(str(error).strip() or type(error).__name__).splitlines()[0]}") from error
    return str(address)


def main(
    model: Annotated[Path, typer.Argument(metavar="MODEL_FOLDER", help="The folder that training/train.py wrote.")],
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository on the Hub; it is made if it is not there.")],
    card: Annotated[Path | None, typer.Option(help="A model card, Markdown; if not given, README.md of the folder.")] = None,
    private: Annotated[bool, typer.Option("--private", help="A new repository is seen by its owner alone.")] = False,
    encoder: Annotated[Path | None, typer.Option(help="For an adapter: the folder of its encoder, to see that the model loads.")] = None,
) -> None:
    """Publish a model and its card on the Hugging Face Hub."""
    with refusing(PublishError, ModelError):
        address = publish(model, name, card, private, encoder)
    typer.echo(f"{', '.join(files_of(model, card))} published: {address}")
    if CARD not in files_of(model, card):
        typer.echo("note: it has no card; write what it is for and how good it is, and publish again with --card", err=True)


if __name__ == "__main__":
    typer.run(main)
