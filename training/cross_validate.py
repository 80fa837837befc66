"""Cross-validate a configuration on annotated documents.

python training/cross_validate.py CONFIG DATA.jsonl --output DIR [--folds 5] [--encoder FOLDER_OR_HUB_ID] [--group-field FIELD | --group-pattern PATTERN]

The documents are dealt into folds by group and label (``training/split.py``). For each fold a model is trained on the others, as by ``training/train.py``;
a part of those chooses its epoch and thresholds, so that the scored fold decides nothing. ``model_cards/results/NAME_cv.json``, NAME being the
configuration's, gets the scores of each fold with mean and standard deviation, and those of all predictions together with intervals, from which
``python training/model_card.py NAME`` writes a card. Started again with the same DIR, it goes on where it was stopped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from accelerate import PartialState
from evaluate_model import fields_to_slice, load, print_table
from figures import libraries, training_record, write
from fold_figures import Fold, fold_record, over_folds, pooled_record
from refusing import refusing
from settings import Settings, SettingsError, read_settings
from split import GROUP_PATTERN, SplitError, split
from train import Run, fingerprint

from conflict_nlp.document import Document
from conflict_nlp.evaluation.bootstrap import RESAMPLES
from conflict_nlp.evaluation.report import Settings as ReportSettings
from conflict_nlp.evaluation.report import report
from conflict_nlp.formats.files import FormatError, printable, replacing
from conflict_nlp.formats.jsonl import read_all, write_documents
from conflict_nlp.loading import ModelError
from conflict_nlp.schema import SchemaError

RESULTS = Path(__file__).parents[1] / "model_cards" / "results"
PREDICTED, DONE = "predicted.jsonl", "done.json"


@dataclass(frozen=True)
class Plan:
    """How the documents are dealt. ``tuning`` is the share of the training folds that chooses epoch and thresholds."""

    folds: int = 5
    tuning: float = 0.15
    group_field: str | None = None
    group_pattern: str = GROUP_PATTERN
    seed: int = 0


def main(
    config: Annotated[Path, typer.Argument(help="A YAML of configs/.")],
    data: Annotated[Path, typer.Argument(help="Annotated documents, native JSON Lines.")],
    output: Annotated[Path, typer.Option(help="The folder for the models and predictions of the folds.")],
    folds: Annotated[int, typer.Option(help="How many folds.", min=2)] = 5,
    encoder: Annotated[str | None, typer.Option(help="Folder or Hub id, instead of the configuration's.")] = None,
    tuning: Annotated[float, typer.Option(help="Share of the training folds that chooses epoch and thresholds.", min=0.01, max=0.5)] = 0.15,
    group_field: Annotated[str | None, typer.Option(help="The field that names a passage's document.")] = None,
    group_pattern: Annotated[str, typer.Option(help="Without a field: what to take off an id to get its document's.")] = GROUP_PATTERN,
    seed: Annotated[int, typer.Option(help="Decides between equally good splits.")] = 0,
    results: Annotated[Path | None, typer.Option(help="The results, JSON; else model_cards/results/NAME_cv.json.")] = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples.", min=1)] = RESAMPLES,
) -> None:
    """Train and score every fold, and store the figures."""
    plan = Plan(folds, tuning, group_field, group_pattern, seed)
    with refusing(FormatError, SettingsError, SchemaError, SplitError, ModelError, OSError):
        settings = read_settings(config)
        documents = read_all([data], settings.schema)
        dealt = deal(documents, plan)
        mark = f"{fingerprint(settings, [data], encoder)} {plan}"
        for fold in dealt:
            run_fold(fold, settings, encoder, output / f"fold-{fold.number}", f"{mark} {fold.number}")
        if PartialState().is_main_process:
            target = results or RESULTS / f"{config.stem}_cv.json"
            write(target, summary(config.stem, data, dealt, settings, plan, output, resamples))
            typer.echo(f"{target} is written", err=True)


def deal(documents: Sequence[Document], plan: Plan) -> list[Fold]:
    """The folds of some documents, with no group on two sides of any.

    Raises:
        SplitError: two documents have one id, or there are fewer groups than parts.
    """
    ids = [document.id for document in documents]
    if twice := next((id for id in ids if id is not None and ids.count(id) > 1), None):
        raise SplitError(f"the id {printable(twice)} is used twice: give each document its own")

    def dealt(some: Sequence[Document], shares: dict[str, float]) -> list[list[Document]]:
        return [part.documents for part in split(some, shares, plan.group_field, plan.group_pattern, plan.seed)]

    found = []
    for number, scored in enumerate(dealt(documents, {f"fold {n}": 1.0 for n in range(plan.folds)}), 1):
        inside = {id(document) for document in scored}  # those without an id of their own too
        training, tuning = dealt([d for d in documents if id(d) not in inside], {"training": 1 - plan.tuning, "tuning": plan.tuning})
        found.append(Fold(number, training, tuning, scored))
    return found


def run_fold(fold: Fold, settings: Settings, encoder: str | None, folder: Path, mark: str) -> None:
    """Train a fold's model and write its predictions, unless that is done already.

    Raises:
        SplitError: the folder holds another run's fold.
        SettingsError: the model cannot be made over the encoder.
        OSError: the encoder is not there.
    """
    if (folder / DONE).is_file():
        if json.loads((folder / DONE).read_text(encoding="utf-8"))["mark"] != mark:
            raise SplitError(f"{folder} holds a fold with other settings or data: name another --output, or remove it")
        return
    typer.echo(f"fold {fold.number}: {len(fold.training)} documents to train on, {len(fold.tuning)} to tune on, {len(fold.scored)} to score", err=True)
    try:
        run = Run(settings, encoder, folder, mark)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    run.fit(fold.training, fold.tuning)
    if run.accelerator.is_main_process:
        nlp = load(folder, None if settings.adapter is None else Path(encoder or settings.encoder), "auto")
        predicted = [replace(p, id=g.id) for g, p in zip(fold.scored, nlp.pipe([g.text for g in fold.scored]), strict=True)]
        write_documents(folder / PREDICTED, predicted)
        with replacing(folder / DONE) as file:
            done = {"mark": mark, "parameters": sum(p.numel() for p in nlp.model.parameters()), "device": nlp.device.type}
            file.write(json.dumps(done).encode())
        shutil.rmtree(folder / "checkpoints")
    run.accelerator.wait_for_everyone()


def summary(name: str, data: Path, folds: Sequence[Fold], settings: Settings, plan: Plan, output: Path, resamples: int) -> dict[str, Any]:
    """All figures, in the form of those of ``training/evaluate_model.py``."""
    folders = [output / f"fold-{fold.number}" for fold in folds]
    done = json.loads((folders[-1] / DONE).read_text(encoding="utf-8"))
    predictions = [read_all([folder / PREDICTED], settings.schema) for folder in folders]
    each = [fold_record(fold, predicted, settings.schema) for fold, predicted in zip(folds, predictions, strict=True)]
    gold = [document for fold in folds for document in fold.scored]
    predicted = [document for some in predictions for document in some]
    result = report(gold, predicted, settings.schema, settings=ReportSettings(fields_to_slice(gold, None), resamples))
    print_table([name], [result])
    runs = [record for folder in folders if (record := training_record(folder, None)) is not None]
    return {
        "model": {"name": name, "parameters": done["parameters"], "encoder": settings.encoder, "schema": settings.schema.name},
        "training": {"epochs": settings.training.epochs, "seconds": sum(record["seconds"] for record in runs)},
        "libraries": libraries(),
        "device": done["device"],
        "bootstrap": result.to_dict()["bootstrap"],
        "gold": [pooled_record(name, data, gold, predicted, result, settings.schema)],
        "folds": {"tuning": plan.tuning, "seed": plan.seed, "each": each, **over_folds(each)},
    }


if __name__ == "__main__":
    typer.run(main)
