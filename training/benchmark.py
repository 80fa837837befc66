"""Measure what users wait for: start-up, the memory of a long text, speed, and batch jobs.

python training/benchmark.py start     seconds to import the package and to label the example, from process start
python training/benchmark.py memory    peak memory and seconds for one text of a million characters
python training/benchmark.py speed     words a second, beside a transformers pipeline and spaCy
python training/benchmark.py cost      milliseconds of one report; time over the length of a text, the spans in it and the size of a batch
python training/benchmark.py batch     documents a second of batch jobs; time a document and peak memory over the size of the input

Each measurement but speed and cost runs in processes of its own. ``--json FILE`` stores the figures with the machine and the versions.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from benchmark_batch import batch
from benchmark_cost import cost
from benchmark_speed import speed
from machine import report

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(batch)
app.command()(speed)
app.command()(cost)

Json = Annotated[Path | None, typer.Option("--json", help="Store the figures here.")]

PACKAGES = ("torch", "transformers", "tokenizers")

LONG = """
import sys
from importlib import resources
import conflict_nlp
report = (resources.files("conflict_nlp") / "example.txt").read_text(encoding="utf-8")
size = int(sys.argv[1])
text = (report * (size // len(report) + 1))[:size]
document = conflict_nlp.load(device="cpu")(text)
assert all(text[s.start:s.end] == s.text for s in document.spans)
print(len(document.spans))
"""


@app.command()
def start(runs: Annotated[int, typer.Option(help="Runs of each; the median counts.")] = 5, to: Json = None) -> None:
    """Seconds to import the package, and to label the example, from process start."""
    bare = _median(runs, [sys.executable, "-c", "pass"])
    imported = _median(runs, [sys.executable, "-c", "import conflict_nlp"])
    example = _median(runs, [sys.executable, "-c", "from conflict_nlp.cli import main; main()", "extract", "--example"])
    _report({"import_seconds": imported - bare, "extract_example_seconds": example}, to)


@app.command()
def memory(
    characters: Annotated[int, typer.Option(help="Length of the text.")] = 1_000_000,
    to: Json = None,
) -> None:
    """Peak memory and seconds of labelling one long text on the CPU."""
    started = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", LONG, str(characters)], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    _report({"characters": characters, "peak_megabytes": peak / 1e6, "seconds": seconds, "spans": int(result.stdout)}, to)


def _median(runs: int, command: list[str]) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _report(figures: dict[str, Any], to: Path | None) -> None:
    report({k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}, PACKAGES, to)


if __name__ == "__main__":
    app()
