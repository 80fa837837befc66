"""Decision thresholds, chosen on held-out documents.

python training/thresholds.py MODEL GOLD.jsonl [--encoder FOLDER_OR_HUB_ID] [--device cuda:1]

``training/train.py`` ends with this; alone it tunes a model to other documents, or one whose training was stopped, and writes into its ``config.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated

import typer
from refusing import refusing

from conflict_nlp.decoding import Thresholds, WindowReading
from conflict_nlp.document import Document
from conflict_nlp.evaluation.incidents import cluster_names
from conflict_nlp.evaluation.summary import scores
from conflict_nlp.extractor import Extractor, load
from conflict_nlp.formats.files import replacing
from conflict_nlp.formats.jsonl import read_all

GRID = tuple(round(0.05 * i, 2) for i in range(1, 16))
CLUSTER_GRID = (*GRID[3:], 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995)  # the scorer is surer than it should be

Predicted = Callable[[Thresholds], dict[str, float]]
Value = Callable[[dict[str, float]], float]
Readings = Sequence[tuple[str, Sequence[WindowReading]]]


def main(
    model: Annotated[Path, typer.Argument(help="The model's folder.")],
    gold: Annotated[Path, typer.Argument(help="Annotated documents that it was not trained on, native JSON Lines.")],
    encoder: Annotated[str | None, typer.Option(help="The encoder's folder or Hub id, for a model that is an adapter.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
) -> None:
    """Tune the thresholds of a model, and print its scores."""
    with refusing():
        nlp = load(model, encoder=encoder, device=device, runtime="torch")
        documents = read_all([gold], nlp.schema)
        found = tune_saved(model, nlp, documents)
    typer.echo(json.dumps(found, indent=1))


def tune_saved(folder: Path, extractor: Extractor, gold: Sequence[Document]) -> dict[str, float]:
    """Tune the extractor of a saved model and write the thresholds into its folder: the scores under them, rounded."""
    readings = list(extractor.read(document.text for document in gold))
    best = tune(extractor, gold, readings)
    save(folder, best)
    return {name: round(value, 2) for name, value in scores_under(best, extractor, gold, readings).items()}


def tune(extractor: Extractor, gold: Sequence[Document], readings: Readings) -> Thresholds:
    """The thresholds that score best on the documents: one at a time, spans and links in turn, then incidents.

    A label's threshold begins where the mean of its own exact and overlap F1 is best. Then it, and the link thresholds, maximise the sum of both
    span F1 and one and a half times the link overlap F1 of all, since a record is made of links, in steps of 0.1, 0.05 and 0.02; the cluster
    threshold the mean of pairwise and B-cubed F1.
    """
    schema = extractor.schema
    best = Thresholds()

    def predicted(thresholds: Thresholds) -> dict[str, float]:
        return scores_under(thresholds, extractor, gold, readings)

    def overall(s: dict[str, float]) -> float:
        return s["span_exact_f1"] + s["span_overlap_f1"] + 1.5 * s.get("link_overlap_f1", 0.0)

    best = _search(best, "only_link", GRID[:9], predicted, overall)
    # one pass over the grid serves all labels: a label's spans depend on no other label's threshold but through links
    passes = {value: predicted(replace(best, span=value)) for value in GRID}
    spans = {}
    for label in schema.names:
        keys = (f"span_exact_f1_{label}", f"span_overlap_f1_{label}")
        spans[label] = max(GRID, key=lambda value, keys=keys: (sum(passes[value].get(k, 0.0) for k in keys), -abs(value - 0.3)))  # type: ignore[misc]
    best = replace(best, spans=spans)
    best = _search(best, "only_link", GRID[:9], predicted, overall)
    best = _search(best, "link", GRID, predicted, overall)
    for label in schema.names:
        trials = [best, *(replace(best, spans={**best.spans, label: value}) for value in GRID[1::2])]
        best = max(trials, key=lambda trial: overall(predicted(trial)))
    for step in (0.05, 0.02):
        best = _refine(best, step, predicted, overall)
    if clusters := cluster_names(schema):
        best = _search(best, "cluster", CLUSTER_GRID, predicted, lambda s: sum(s[f"{name}_pair_f1"] + s[f"{name}_bcubed_f1"] for name in clusters))
    return best


def scores_under(thresholds: Thresholds, extractor: Extractor, gold: Sequence[Document], readings: Readings) -> dict[str, float]:
    """The scores of what was read, decided by some thresholds."""
    documents = [replace(extractor.assemble(text, windows, thresholds), id=g.id) for (text, windows), g in zip(readings, gold, strict=True)]
    return scores(gold, documents, extractor.schema)


def save(folder: Path, thresholds: Thresholds) -> None:
    """Write thresholds into the config of a saved model."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    with replacing(folder / "config.json") as file:
        file.write((json.dumps({**config, "thresholds": thresholds.to_dict()}, indent=2, sort_keys=True) + "\n").encode())


def _refine(best: Thresholds, step: float, predicted: Predicted, value: Value) -> Thresholds:
    """Every threshold moved by a step up or down, one after the other, where that helps."""
    reached = value(predicted(best))
    names = ["only_link", "link", *best.spans]
    for name, change in product(names, (-step, step)):
        before = best.spans[name] if name in best.spans else getattr(best, name)
        moved = round(min(0.98, max(0.02, before + change)), 2)
        trial = replace(best, spans={**best.spans, name: moved}) if name in best.spans else replace(best, **{name: moved})
        if (score := value(predicted(trial))) > reached:
            best, reached = trial, score
    return best


def _search(
    thresholds: Thresholds,
    name: str,
    grid: Sequence[float],
    predicted: Predicted,
    value: Value,
) -> Thresholds:
    usual = getattr(Thresholds(), name)
    trials = [replace(thresholds, **{name: step}) for step in grid]
    return max(trials, key=lambda trial: (value(predicted(trial)), -abs(getattr(trial, name) - usual)))  # where the documents do not tell, the usual one


if __name__ == "__main__":
    typer.run(main)
