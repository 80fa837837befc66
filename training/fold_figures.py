"""The figures of a cross-validation: those of each fold, their mean and deviation, and those of all predictions together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from figures import gold_record, label_records

from conflict_nlp.document import Document
from conflict_nlp.evaluation.report import Report
from conflict_nlp.evaluation.summary import scores
from conflict_nlp.schema import Schema


@dataclass(frozen=True)
class Fold:
    """One fold: what the model learns from, what chooses its epoch and thresholds, and what scores it."""

    number: int
    training: Sequence[Document]
    tuning: Sequence[Document]
    scored: Sequence[Document]


def fold_record(fold: Fold, predicted: Sequence[Document], schema: Schema) -> dict[str, Any]:
    """The span and link scores of one fold; a label that is neither in its gold nor predicted has none, and pairs of labels have none."""
    found = {label.label for label in label_records(fold.scored, predicted, schema) if label.gold or label.predicted}
    values = scores(fold.scored, predicted, schema)
    kept = {key: value for key, value in values.items() if key.startswith(("span_", "link_")) and _label(key) in (None, *found)}
    return {
        "fold": fold.number,
        "training": len(fold.training),
        "tuning": len(fold.tuning),
        "documents": len(fold.scored),
        "spans": sum(len(d.spans) for d in fold.scored),
        "scores": kept,
    }


def over_folds(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The mean of every score over the folds that have it, and the standard deviation of a sample where there are two."""
    keys = dict.fromkeys(key for record in records for key in record["scores"])
    values = {key: [record["scores"][key] for record in records if key in record["scores"]] for key in keys}
    return {
        "mean": {key: mean(some) for key, some in values.items()},
        "deviation": {key: stdev(some) for key, some in values.items() if len(some) > 1},
    }


def pooled_record(name: str, path: Path, gold: Sequence[Document], predicted: Sequence[Document], result: Report, schema: Schema) -> dict[str, Any]:
    """The figures of all documents, each predicted by the model that had not seen it, as for a gold file; labels that do not occur are left out."""
    record = gold_record(name, path, gold, predicted, result, schema)
    record["labels"] = [label for label in record["labels"] if label["gold"] or label["predicted"]]
    return record


def _label(key: str) -> str | None:
    """What a score of one label, or of one pair of labels, is of."""
    return key.partition("_f1_")[2] or None
