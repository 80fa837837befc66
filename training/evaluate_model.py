"""Evaluate a model on annotated documents, and store the figures for its card.

python training/evaluate_model.py MODEL --gold NAME=FILE.jsonl [--gold NAME=FILE.jsonl …] --output model_cards/results/small.json [--encoder FOLDER]

MODEL is a folder that ``training/train.py`` wrote. Its texts are labelled as a user would label them, and every score of
:mod:`conflict_nlp.evaluation` is stored with the model's sha256, so that a card can be checked against the weights that it describes. The file
names no place of the machine: files appear by their last name alone, a gold set by the NAME that it was given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from figures import EvaluationError, gold_record, libraries, model_record, training_record, write
from refusing import refusing

import conflict_nlp
from conflict_nlp.document import Document
from conflict_nlp.evaluation.bootstrap import RESAMPLES
from conflict_nlp.evaluation.report import Report, Settings, report
from conflict_nlp.evaluation.slices import LENGTH
from conflict_nlp.evaluation.tables import main_key
from conflict_nlp.extractor import Extractor
from conflict_nlp.formats.jsonl import read_all

FIELDS = ("source", "theme", "register")


@dataclass(frozen=True)
class GoldFile:
    """A file of annotated documents and the name that its figures are stored under."""

    name: str
    path: Path


def main(
    model: Annotated[Path, typer.Argument(help="The folder of the model.")],
    gold: Annotated[list[str], typer.Option(help="Annotated documents, native JSON Lines, as NAME=FILE or FILE; may be repeated.")],
    output: Annotated[Path, typer.Option(help="The results, JSON; its name without .json is the model's.")],
    encoder: Annotated[Path | None, typer.Option(help="The encoder's folder, for a model that is saved without its own.")] = None,
    log: Annotated[Path | None, typer.Option(help="The log.csv of the training run; if not given, the one in MODEL, if there is one.")] = None,
    slices: Annotated[list[str] | None, typer.Option("--slice", help="Field to slice by, may be repeated; else length, source, theme, register.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    batch_size: Annotated[int | None, typer.Option(help="Windows that the model reads at once. [default: by the device]", min=1)] = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples.", min=1)] = RESAMPLES,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
) -> None:
    """Label the gold files with a model and store all scores, with 95 % bootstrap intervals over documents."""
    with refusing():
        files = gold_files(gold)
        nlp = load(model, encoder, device)
        data: dict[str, Any] = {
            "model": asdict(model_record(output.stem, model, encoder, nlp)),
            "training": training_record(model, log),
            "libraries": libraries(),
            "device": nlp.device.type,
            "gold": [],
        }
        documents = [read_all([file.path], nlp.schema) for file in files]  # a mistake in the last file is found before the first is labelled
        reports = []
        for file, some in zip(files, documents, strict=True):
            typer.echo(f"{file.name}: {len(some)} documents", err=True)
            predicted = [replace(p, id=g.id) for g, p in zip(some, nlp.pipe([g.text for g in some], batch_size), strict=True)]
            result = report(some, predicted, nlp.schema, settings=Settings(fields_to_slice(some, slices), resamples, seed))
            reports.append(result)
            data["bootstrap"] = result.to_dict()["bootstrap"]
            data["gold"].append(gold_record(file.name, file.path, some, predicted, result, nlp.schema))
        write(output, data)
    print_table([file.name for file in files], reports)


def gold_files(given: Sequence[str]) -> list[GoldFile]:
    """The files of ``NAME=FILE`` or ``FILE``, the latter named after the file.

    Raises:
        EvaluationError: a file is not there, or a name is used twice or has other characters than letters, digits, ``.``, ``_`` and ``-``.
    """
    files = []
    for text in given:
        name, equals, path = text.partition("=")
        file = GoldFile(Path(text).stem, Path(text)) if not equals or Path(text).is_file() else GoldFile(name, Path(path))
        if not file.path.is_file():
            raise EvaluationError(f"--gold {text}: there is no file {file.path}")
        if not re.fullmatch(r"[\w.-]+", file.name):
            raise EvaluationError(f"--gold {text}: the name {file.name!r} should be letters, digits, '.', '_' and '-' alone")
        files.append(file)
    names = [file.name for file in files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise EvaluationError(f"two gold files are named {', '.join(twice)}: name each, NAME=FILE")
    return files


def load(model: Path, encoder: Path | None, device: str) -> Extractor:
    """The model, over an encoder from elsewhere where one is given.

    Raises:
        EvaluationError: there is no such folder.
        conflict_nlp.ModelError: the folder holds no model that can be loaded, or one that the encoder does not fit.
    """
    if not model.is_dir():
        raise EvaluationError(f"there is no folder {model}")
    return conflict_nlp.load(model, encoder=encoder, device=device, runtime="torch")


def fields_to_slice(documents: Sequence[Document], given: Sequence[str] | None) -> tuple[str, ...]:
    """The fields that were asked for, or else those of :data:`FIELDS` that the documents have, and their length."""
    return tuple(given) if given else (*(f for f in FIELDS if any(f in d.meta for d in documents)), LENGTH)


def print_table(names: Sequence[str], reports: Sequence[Report]) -> None:
    """The foremost scores of all gold files, side by side."""
    from rich.console import Console
    from rich.table import Table

    table = Table("", *(f"{name}, {r.scores.documents} documents" for name, r in zip(names, reports, strict=True)))
    for key in dict.fromkeys(main_key(m) for m in reports[0].measures if m.label is None):
        cells = [(r.scores.values[key], r.scores.intervals[key]) for r in reports]
        table.add_row(key, *(f"{value:.1f} ({i.low:.1f} to {i.high:.1f})" for value, i in cells))
    errors = {"spans": [r.spans for r in reports], "links": [r.links for r in reports]}
    for what, tables in errors.items():
        table.add_row(f"{what}: calibration error", *("" if t is None or not t.number else f"{t.error:.1f}" for t in tables))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
