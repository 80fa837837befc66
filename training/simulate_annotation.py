"""Simulate the annotation loop on annotated documents: the score against the number of passages, chosen at random or as suggested.

python training/simulate_annotation.py configs/annotation_loop.yaml --train T.jsonl --dev D.jsonl --output DIR [--encoder FOLDER_OR_HUB_ID]

Both strategies begin with the same random passages and a model trained on them from the bare encoder. Then, round by round, more passages are
revealed, at random or by ``conflict_nlp.suggestion``, and training goes on from the last model with all passages so far. Every round of either
strategy trains on equally many passages, each counted as often as it is seen (``--budget``), so that more passages mean fewer epochs and no
score is due to longer training alone. The scores on the held-out documents are those of the last epoch, with default thresholds.

DIR gets ``results.csv``, a row a seed, strategy and size, with the models; ``results.png``; and ``summary.json``. A run that was stopped goes on.
"""

from __future__ import annotations

import csv
import gc
import io
import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import torch
import typer
from claiming import claim
from refusing import refusing
from settings import Settings, SettingsError, read_settings
from train import Run, fingerprint, precision

from conflict_nlp.decoding import Thresholds
from conflict_nlp.document import Document
from conflict_nlp.evaluation.summary import scores
from conflict_nlp.extractor import Extractor, load
from conflict_nlp.formats.files import replacing
from conflict_nlp.formats.jsonl import read_all
from conflict_nlp.suggestion.selection import suggest

STRATEGIES = ("random", "suggested")
MEASURES = ("span_exact", "span_overlap", "link_overlap", "mean")


@dataclass(frozen=True)
class Result:
    """What a model scored, in percent, that had so many passages with so much marked in them."""

    seed: int
    strategy: str
    size: int
    spans: int
    links: int
    characters: int
    span_exact: float
    span_overlap: float
    link_overlap: float
    mean: float


class Round(Run):
    """A run that keeps its last epoch: nothing is held out to choose an epoch or thresholds by."""

    def _evaluate(self, held_out: Sequence[Document], row: dict[str, Any]) -> None:
        if row["epoch"] == self.settings.training.epochs:
            self._save(self.model, Thresholds())

    def _checkpoint(self) -> None:
        """A round is short: one that was stopped begins again."""

    def _finish(self, held_out: Sequence[Document]) -> None:
        """There are no thresholds to tune."""


@dataclass
class Simulation:
    """The loop over fully annotated documents, whose annotation is revealed as they are chosen."""

    settings: Settings
    encoder: str
    documents: Sequence[Document]
    held_out: Sequence[Document]
    sizes: Sequence[int]
    budget: int
    output: Path

    def run(self, seed: int, strategy: str) -> None:
        """All sizes for one seed and strategy; what has its result already is not done again."""
        done = {(r.seed, r.strategy, r.size) for r in read_results(self.output)}
        order = random.Random(seed).sample(range(len(self.documents)), len(self.documents))
        folder, chosen = self._folder(seed, strategy, 0), order[: self.sizes[0]]
        for number, size in enumerate(self.sizes):
            previous, folder = folder, self._folder(seed, strategy, number)
            if (seed, strategy, size) in done:
                chosen = json.loads((folder / "chosen.json").read_text())
                continue
            if number:
                more = size - len(chosen)
                chosen = order[:size] if strategy == "random" else [*chosen, *self._suggested(previous, chosen, more, seed)]
            result = self._round(folder, previous if number else None, chosen, Result(seed, strategy, size, *[0] * 7))
            self._append([replace(result, strategy=name) for name in (STRATEGIES if number == 0 else (strategy,))])

    def _folder(self, seed: int, strategy: str, number: int) -> Path:
        return self.output / f"seed-{seed}" / f"{strategy if number else 'both'}-{self.sizes[number]}"

    def _suggested(self, model: Path, chosen: Sequence[int], number: int, seed: int) -> list[int]:
        """Positions of the passages that the last round's model suggests; it sees their texts alone."""
        taken = set(chosen)
        pool = [Document(d.text, id=str(i)) for i, d in enumerate(self.documents) if i not in taken]
        found = suggest(self._load(model), pool, number, [self.documents[i].text for i in chosen], seed)
        if len(found) < number:
            raise ValueError(f"only {len(found)} passages of {len(pool)} that are left differ enough to be suggested: name smaller --sizes")
        return [int(suggestion.document.id or "") for suggestion in found]

    def _round(self, folder: Path, previous: Path | None, chosen: Sequence[int], result: Result) -> Result:
        """Train on the chosen passages, and score."""
        shutil.rmtree(folder, ignore_errors=True)
        training = [self.documents[i] for i in chosen]
        epochs = max(1, round(self.budget / len(training)))
        print(f"seed {result.seed}, {result.strategy}, {result.size} passages, {epochs} epochs", flush=True)
        settings = replace(self.settings, training=replace(self.settings.training, epochs=epochs, seed=result.seed))
        Round(settings, self.encoder, folder, "", previous).fit(training, [])
        (folder / "chosen.json").write_text(json.dumps(list(chosen)))
        gc.collect()  # the optimiser and the model refer to one another
        named = [replace(p, id=g.id) for p, g in zip(self._load(folder).pipe(d.text for d in self.held_out), self.held_out, strict=True)]
        found = scores(self.held_out, named, settings.schema)
        values = {name: round(found[f"{name}_f1"], 2) for name in MEASURES[:3]}
        marked = {"spans": sum(len(d.spans) for d in training), "links": sum(len(d.links) for d in training)}
        return replace(result, **marked, characters=sum(len(d.text) for d in training), **values, mean=round(mean(values.values()), 2))

    def _load(self, folder: Path) -> Extractor:
        extractor = load(folder, encoder=self.encoder if self.settings.adapter else None, runtime="torch")
        extractor.half = torch.bfloat16 if precision(self.settings.training.precision) == "bf16" else None
        return extractor

    def _append(self, results: Sequence[Result]) -> None:
        """Rows that belong together come together: half of them would be done again."""
        rows = [asdict(result) for result in (*read_results(self.output), *results)]
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, [f.name for f in fields(Result)])
        writer.writeheader()
        writer.writerows(rows)
        with replacing(self.output / "results.csv") as file:
            file.write(table.getvalue().encode())
        for row in rows[-len(results) :]:
            print(json.dumps(row), flush=True)


def read_results(output: Path) -> list[Result]:
    """The results in a simulation's folder, as far as there are any."""
    path = output / "results.csv"
    if not path.exists():
        return []
    types = {"strategy": str, **dict.fromkeys(("seed", "size", "spans", "links", "characters"), int)}
    with path.open(newline="", encoding="utf-8") as file:
        return [Result(**{name: types.get(name, float)(value) for name, value in row.items()}) for row in csv.DictReader(file)]


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Means over the seeds, a strategy and size each, and how many suggested passages score as the most random ones do."""
    table: dict[str, dict[int, dict[str, float]]] = {strategy: {} for strategy in STRATEGIES}
    for strategy, size in sorted({(r.strategy, r.size) for r in results}):
        own = [r for r in results if (r.strategy, r.size) == (strategy, size)]
        table[strategy][size] = {"seeds": len(own), **{m: round(mean(getattr(r, m) for r in own), 2) for m in ("spans", "links", "characters", *MEASURES)}}
    largest = max(table["random"])
    aim = table["random"][largest]["mean"]
    enough = [size for size, row in table["suggested"].items() if row["mean"] >= aim]
    return {**table, "random_passages": largest, "suggested_passages_for_the_same_score": min(enough, default=None)}


def plot(results: Sequence[Result], path: Path) -> None:
    """A panel a measure: the mean over the seeds as a line, their range as a band."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(MEASURES), figsize=(4 * len(MEASURES), 3.6), layout="constrained")
    for panel, measure in zip(panels, MEASURES, strict=True):
        for strategy in STRATEGIES:
            sizes = sorted({r.size for r in results if r.strategy == strategy})
            values = [[getattr(r, measure) for r in results if (r.strategy, r.size) == (strategy, size)] for size in sizes]
            (line,) = panel.plot(sizes, [mean(v) for v in values], marker="o", label=strategy)
            panel.fill_between(sizes, [min(v) for v in values], [max(v) for v in values], alpha=0.2, color=line.get_color())
        title = measure.replace("_", " ") + ("" if measure == "mean" else " F1")
        panel.set(title=title, xlabel="annotated passages", xticks=sorted({r.size for r in results}))
        panel.grid(alpha=0.3)
    panels[0].legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def main(
    config: Annotated[Path, typer.Argument(help="a YAML of configs/; its epochs and seed are not used")],
    train: Annotated[Path, typer.Option(help="annotated documents to choose from, JSON Lines")],
    dev: Annotated[Path, typer.Option(help="held-out documents to score on")],
    output: Annotated[Path, typer.Option(help="folder for results and models")],
    encoder: Annotated[str | None, typer.Option(help="folder or Hub id, instead of the configuration's")] = None,
    sizes: Annotated[str, typer.Option(help="passages after each round, rising")] = "100,200,300,400",
    budget: Annotated[int, typer.Option(min=1, help="passages that a round trains on, counted as often as they are seen")] = 1200,
    seeds: Annotated[str, typer.Option(help="each is a repetition")] = "1,2,3",
) -> None:
    """Simulate the loop, plot it, and print what came out."""
    with refusing():
        settings = read_settings(config)
        if not settings.schema.anchors:
            raise SettingsError(f"{config}: the schema {settings.schema.name} has no arguments, and links are one of the scores here")
        documents, held_out = read_all([train], settings.schema), read_all([dev], settings.schema)
        steps, repetitions = numbers(sizes, "--sizes"), numbers(seeds, "--seeds")
        if steps != sorted(set(steps)) or steps[-1] > len(documents):
            raise SettingsError(f"--sizes {sizes} do not rise to at most the {len(documents)} passages of {train}")
        simulation = Simulation(settings, encoder or settings.encoder, documents, held_out, steps, budget, output)
        claim(output, f"{fingerprint(settings, [train, dev], encoder)} {steps} {budget}")
        for seed in repetitions:
            for strategy in STRATEGIES:
                simulation.run(seed, strategy)
    results = read_results(output)
    plot(results, output / "results.png")
    text = json.dumps(summary(results), indent=1)
    (output / "summary.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def numbers(text: str, option: str) -> list[int]:
    """Whole numbers above zero, with commas between them.

    Raises:
        SettingsError: they are not.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise SettingsError(f"{option} is {text!r}, not whole numbers from 1 with commas between them")
    return [int(part) for part in parts]


if __name__ == "__main__":
    typer.run(main)
