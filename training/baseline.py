"""Train and score a plain token classifier beside the project's models.

python training/baseline.py CONFIG --train A.jsonl [--train B.jsonl] --gold NAME=FILE.jsonl [--gold …] --output DIR [--encoder FOLDER_OR_HUB_ID]

The encoder, learning rate, batch size, epochs and window are those of the configuration, and the epoch is the last: the gold files choose nothing.
``model_cards/results/baseline.json`` gets the scores in the form of ``training/evaluate_model.py``; ``training/model_card.py`` puts them beside those of a
model that was scored on the same gold files. What the baseline is, is in :mod:`token_classifier`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from claiming import claim
from evaluate_model import fields_to_slice, gold_files, print_table
from figures import WEIGHTS, EvaluationError, ModelRecord, gold_record, libraries, sha256, write
from refusing import refusing
from settings import Settings, SettingsError, read_settings
from token_classifier import Windows, fit, predict
from train import fingerprint
from transformers import AutoConfig, AutoModelForTokenClassification

from conflict_nlp.document import Document
from conflict_nlp.evaluation.bootstrap import RESAMPLES
from conflict_nlp.evaluation.report import Settings as ReportSettings
from conflict_nlp.evaluation.report import report
from conflict_nlp.formats.files import FormatError
from conflict_nlp.formats.jsonl import read_all
from conflict_nlp.loading import resolve_device
from conflict_nlp.modeling import longest_window
from conflict_nlp.schema import SchemaError

RESULTS = Path(__file__).parents[1] / "model_cards" / "results" / "baseline.json"


def main(
    config: Annotated[Path, typer.Argument(help="A YAML of configs/.")],
    train: Annotated[list[Path], typer.Option(help="Annotated documents, native JSON Lines; may be repeated.")],
    gold: Annotated[list[str], typer.Option(help="Annotated documents to score it on, as NAME=FILE or FILE; may be repeated.")],
    output: Annotated[Path, typer.Option(help="The folder for the token classifier.")],
    encoder: Annotated[str | None, typer.Option(help="Folder or Hub id, instead of the configuration's.")] = None,
    results: Annotated[Path, typer.Option(help="The results, JSON.")] = RESULTS,
    epochs: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples.", min=1)] = RESAMPLES,
) -> None:
    """Fine-tune a token classifier, label the gold files with it, and store all scores."""
    with refusing(FormatError, SettingsError, SchemaError, EvaluationError, OSError):
        files = gold_files(gold)
        settings = read_settings(config, {} if epochs is None else {"epochs": epochs})
        documents = read_all(train, settings.schema)
        golds = [read_all([file.path], settings.schema) for file in files]
        claim(output, f"{fingerprint(settings, train)} {encoder}")
        windows = windows_of(settings, encoder or settings.encoder)
        seconds = fit(documents, encoder or settings.encoder, settings.schema, settings.training, windows, output)
        reports, records = [], []
        for file, some in zip(files, golds, strict=True):
            predicted = predict(output, some, windows)
            reports.append(report(some, predicted, settings.schema, settings=ReportSettings(fields_to_slice(some, None), resamples)))
            records.append(gold_record(file.name, file.path, some, predicted, reports[-1], settings.schema))
        write(results, summary(output, settings, documents, seconds) | {"bootstrap": reports[0].to_dict()["bootstrap"], "gold": records})
    print_table([file.name for file in files], reports)


def windows_of(settings: Settings, encoder: str) -> Windows:
    """The windows of the project's model over the same encoder."""
    size = settings.model.get("window", min(320, longest_window(AutoConfig.from_pretrained(encoder))))
    return Windows(size, settings.model.get("overlap", size // 4))


def summary(folder: Path, settings: Settings, documents: Sequence[Document], seconds: float | None) -> dict[str, Any]:
    """What was trained, on what and how long."""
    model = AutoModelForTokenClassification.from_pretrained(folder, use_safetensors=True)
    record = ModelRecord(
        name="baseline",
        sha256=sha256(folder / WEIGHTS),
        bytes=(folder / WEIGHTS).stat().st_size,
        parameters=sum(p.numel() for p in model.parameters()),
        encoder=settings.encoder,
        encoder_sha256=None,
        schema=settings.schema.name,
        thresholds={},
    )
    return {
        "model": asdict(record),
        "training": {"documents": len(documents), "epochs": settings.training.epochs, "seconds": None if seconds is None else round(seconds)},
        "libraries": libraries(),
        "device": resolve_device("auto").type,
    }


if __name__ == "__main__":
    typer.run(main)
