"""Measure what one report costs, and how cost grows: with the length of a text, with what is in it, and with the size of a batch.

All with the default settings, as ``conflict_nlp.load()`` gives them, on the CPU; latency and batches also by torch and by ONNX Runtime in full precision, one
after the other in every round.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from benchmark_speed import CORPUS, PACKAGES, mixed, timed
from machine import report
from tqdm import tqdm

import conflict_nlp
from conflict_nlp.extractor import Extractor
from conflict_nlp.formats.files import replacing
from conflict_nlp.formats.jsonl import json_lines

WORDS = 100  # of a short report, give or take a tenth
LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
BATCHES = (1, 128, 256, 512, 1024, 2048, 4096, 8192)
SENTENCES = 40  # of a text whose spans are counted
QUIET = "The committee met again to talk about the budget of the schools."
VIOLENT = "On Monday gunmen shot dead two officers near Mosul with rifles."

Measured = list[dict[str, float]]


def cost(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; medians count.")] = 5,
    longest: Annotated[int, typer.Option(min=LENGTHS[0], help="Characters of the longest text.")] = LENGTHS[-1],
    to: Annotated[Path | None, typer.Option("--json", help="Store the figures here.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw them here, PNG.")] = None,
) -> None:
    """Milliseconds of one report; time over length, spans and batch size, on the CPU."""
    nlp = conflict_nlp.load(device="cpu")
    systems = {"default": nlp, "torch": conflict_nlp.load(device="cpu", runtime="torch")}
    if find_spec("onnxruntime") is not None:
        systems["onnx"] = conflict_nlp.load(device="cpu", runtime="onnx")
    figures: dict[str, Any] = {"latency": latency(systems, list(short_reports()), rounds)}
    figures["length"] = by_length(nlp, [length for length in LENGTHS if length <= longest], rounds)
    figures["spans"] = by_spans(nlp, rounds)
    figures["batch"] = by_batch(systems, rounds)
    report(figures, PACKAGES, to)
    if picture is not None:
        draw(figures, picture)


def short_reports() -> Iterable[str]:
    """Reports of the corpus that have about a hundred words."""
    texts = (str(data["text"]) for _, data, _ in json_lines(CORPUS) if data is not None)
    return (text for text in texts if 0.9 * WORDS <= len(text.split()) <= 1.1 * WORDS)


def latency(systems: Mapping[str, Extractor], texts: Sequence[str], rounds: int) -> dict[str, Any]:
    """Milliseconds of one warm call, p50 and p95 over all texts and rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for number in tqdm(range(rounds + 1), desc="latency"):
        for text in texts:
            for name, nlp in systems.items():
                spent = timed(nlp, text)
                if number:  # the first round warms
                    seconds[name].append(spent)
    times = {name: {"p50": _milliseconds(statistics.median(s)), "p95": _milliseconds(statistics.quantiles(s, n=20)[-1])} for name, s in seconds.items()}
    return {"reports": len(texts), "words": round(statistics.mean(len(text.split()) for text in texts), 1), "milliseconds": times}


def by_length(nlp: Extractor, lengths: Sequence[int], rounds: int) -> Measured:
    """Microseconds a character of one text; short ones are read more often, so that each row takes about as long."""
    text = "\n\n".join(mixed(400))
    text *= lengths[-1] // len(text) + 1
    found = []
    for length in tqdm(lengths, desc="length"):
        times = max(1, lengths[-1] // 10 // length)
        spent = _median(lambda some: [nlp(t) for t in some], [text[i * length : (i + 1) * length] for i in range(times)], rounds if times > 1 else 1)
        found.append({"characters": length, "microseconds_a_character": round(1e6 * spent / (times * length), 2)})
    return found


def by_spans(nlp: Extractor, rounds: int) -> Measured:
    """Milliseconds of texts of forty sentences, of which more and more tell of violence."""
    found = []
    for violent in tqdm(range(0, SENTENCES + 1, SENTENCES // 8), desc="spans"):
        text = " ".join([VIOLENT] * violent + [QUIET] * (SENTENCES - violent))
        spent = _median(nlp, text, rounds)
        found.append({"spans": len(nlp(text).spans), "milliseconds": _milliseconds(spent)})
    return found


def by_batch(systems: Mapping[str, Extractor], rounds: int) -> dict[str, Measured]:
    """Words a second for each number of tokens that the model reads at once."""
    texts = list(mixed(160))
    words = sum(len(text.split()) for text in texts)
    found: dict[str, Measured] = {name: [] for name in systems}
    for tokens in tqdm(BATCHES, desc="batch"):
        for name, nlp in systems.items():
            spent = _median(lambda some, nlp=nlp, tokens=tokens: list(nlp.pipe(some, batch_tokens=tokens)), texts, rounds)
            found[name].append({"tokens": tokens, "words_per_second": round(words / spent)})
    return found


def draw(figures: Mapping[str, Any], picture: Path) -> None:
    """Time over length, over spans and over batch size, side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    length, spans, batch = figure.subplots(1, 3)
    length.plot(*_columns(figures["length"]), marker="o")
    length.set(title="one text, µs a character", xlabel="characters", xscale="log", ylim=(0, None))
    spans.plot(*_columns(sorted(figures["spans"], key=lambda row: row["spans"])), marker="o")
    spans.set(title=f"a text of {SENTENCES} sentences, ms", xlabel="spans found in it", ylim=(0, None))
    for name, rows in figures["batch"].items():
        batch.plot(*_columns(rows), marker="o", label=name)
    batch.set(title="many texts, words/s", xlabel="tokens at once", xscale="log", ylim=(0, None))
    batch.legend(fontsize="small")
    for panel in (length, spans, batch):
        panel.grid(alpha=0.3)
    with replacing(picture) as file:
        figure.savefig(file, dpi=150, format="png")


def _columns(rows: Measured) -> tuple[list[float], list[float]]:
    first, second = rows[0]
    return [row[first] for row in rows], [row[second] for row in rows]


def _median(system: Callable[[Any], Any], what: Any, rounds: int) -> float:
    return statistics.median(timed(system, what) for _ in range(rounds))


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 1)
