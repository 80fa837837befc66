"""The figures of an evaluation as they are stored for a model's card: plain data without a place of the machine in it."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import conflict_nlp
from conflict_nlp.document import Document
from conflict_nlp.evaluation.alignment import align
from conflict_nlp.evaluation.measures import Floats, Measure
from conflict_nlp.evaluation.report import Report, Scores
from conflict_nlp.evaluation.summary import statistics
from conflict_nlp.evaluation.tables import main_key
from conflict_nlp.extractor import Extractor
from conflict_nlp.formats.files import replacing
from conflict_nlp.schema import Schema

WEIGHTS = "model.safetensors"
LOG = "log.csv"
SLICED = ("span_exact_f1", "span_overlap_f1", "link_overlap_f1", "incident_bcubed_f1", "record_f1")
DIGITS = 4
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy")


class EvaluationError(ValueError):
    """The evaluation cannot be run as asked."""


@dataclass(frozen=True)
class ModelRecord:
    """The model that was evaluated. ``bytes`` and ``sha256`` are those of its weights' file, ``encoder_sha256`` of an encoder's that was given apart."""

    name: str
    sha256: str
    bytes: int
    parameters: int
    encoder: str | None
    encoder_sha256: str | None
    schema: str
    thresholds: dict[str, Any]


@dataclass(frozen=True)
class TrainingRecord:
    """What the log of the training run says; ``seconds`` are those of the training steps, without the evaluation after each epoch."""

    epochs: int
    seconds: int


@dataclass(frozen=True)
class LabelRecord:
    """One label: spans in gold and prediction, and precision, recall and F1 in percent, exact and by overlap."""

    label: str
    gold: int
    predicted: int
    exact: tuple[float, float, float]
    overlap: tuple[float, float, float]


def model_record(name: str, folder: Path, encoder: Path | None, nlp: Extractor) -> ModelRecord:
    """What was evaluated."""
    return ModelRecord(
        name=name,
        sha256=sha256(folder / WEIGHTS),
        bytes=(folder / WEIGHTS).stat().st_size,
        parameters=sum(p.numel() for p in nlp.model.parameters()),
        encoder=_nameless(nlp.model.config.encoder_name),
        encoder_sha256=None if encoder is None else sha256(encoder / WEIGHTS),
        schema=nlp.schema.name,
        thresholds=nlp.thresholds.to_dict(),
    )


def training_record(model: Path, log: Path | None) -> dict[str, Any] | None:
    """Epochs and seconds of the run that made the model, from its log, or nothing where there is no log.

    Raises:
        EvaluationError: the file that was given is no log of ``training/train.py``.
    """
    path = log or model / LOG
    if log is None and not path.is_file():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(int(row["epoch"]), float(row["seconds"])) for row in csv.DictReader(file)]
        return asdict(TrainingRecord(max(epoch for epoch, _ in rows), round(sum(seconds for _, seconds in rows))))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise EvaluationError(f"{path} is no log of training/train.py, which has an epoch and its seconds on each line: {error}") from error


def libraries() -> dict[str, str]:
    """The versions of all that a figure may hang on."""
    return {"python": platform.python_version(), "conflict-nlp": conflict_nlp.__version__, **{name: version(name) for name in LIBRARIES}}


def gold_record(name: str, path: Path, gold: Sequence[Document], predicted: Sequence[Document], result: Report, schema: Schema) -> dict[str, Any]:
    """All figures of one gold file; intervals for the scores over all labels and the F1 of each label."""
    data = result.to_dict()
    mains = [key for m in result.measures if m.label is None for key in (main_key(m), f"{m.name}_macro_f1")]
    labels = [key for m in result.measures if m.label is not None and m.name.startswith("span_") for key in (f"{m.name}_f1_{m.label}",)]
    return {
        "name": name,
        "file": path.name,
        "sha256": sha256(path),
        "documents": len(gold),
        "spans": sum(len(d.spans) for d in gold),
        "links": sum(len(d.links) for d in gold),
        "scores": data["scores"],
        "intervals": _chosen(result.scores, (*mains, *labels))["intervals"],
        "labels": [asdict(label) for label in label_records(gold, predicted, schema)],
        "calibration": data["calibration"],
        "slices": [{"field": s.field, "value": s.value, "documents": s.scores.documents, **_chosen(s.scores, SLICED)} for s in result.slices],
        "note": result.note,
    }


def label_records(gold: Sequence[Document], predicted: Sequence[Document], schema: Schema) -> list[LabelRecord]:
    """Precision, recall and F1 of every label."""
    counted = statistics(align(gold, predicted, schema), schema)
    total, scores, records = counted.total, counted.scores(), []
    for label in schema.names:
        exact, overlap = (total[counted.measures.index(Measure(name, label))] for name in ("span_exact", "span_overlap"))
        figures = (_figures(row, scores[f"{name}_f1_{label}"]) for name, row in (("span_exact", exact), ("span_overlap", overlap)))
        records.append(LabelRecord(label, int(exact[3]), int(exact[1]), *figures))
    return records


def write(path: Path, data: dict[str, Any]) -> None:
    """Write the results, figures rounded; the file appears when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(json.dumps(_rounded(data), indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal.

    Raises:
        EvaluationError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(2**20):
                digest.update(block)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def _chosen(scores: Scores, keys: Sequence[str]) -> dict[str, Any]:
    found = [key for key in dict.fromkeys(keys) if key in scores.values]
    intervals = {key: [scores.intervals[key].low, scores.intervals[key].high] for key in found if key in scores.intervals}
    return {"scores": {key: scores.values[key] for key in found}, "intervals": intervals}


def _figures(row: Floats, f1: float) -> tuple[float, float, float]:
    hits, predicted, found, gold = (float(number) for number in row)
    if not predicted + gold:  # nothing to find and nothing found, as in conflict_nlp.evaluation.measures
        return 100.0, 100.0, f1
    return 100 * hits / max(predicted, 1), 100 * found / max(gold, 1), f1


def _nameless(encoder: str | None) -> str | None:
    """A Hub id as it is, of a folder its last name."""
    if encoder is None or re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", encoder):
        return encoder
    return re.split(r"[/\\]", encoder.rstrip("/\\"))[-1]


def _rounded(data: Any) -> Any:
    if isinstance(data, float):
        return round(data, DIGITS)
    if isinstance(data, dict):
        return {key: _rounded(value) for key, value in data.items()}
    return [_rounded(item) for item in data] if isinstance(data, list | tuple) else data
