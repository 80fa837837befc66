"""Measure batch jobs: documents a second with workers of several kinds, and time a document and memory over the size of the input.

The documents are made of the corpus in ``training/corpus``, the same ones each time: whole reports for the speed, short pieces of them for the sizes.
Every job is a process of its own, ``conflict-nlp batch``. Its rate is taken from the times of its parts, from when every worker has written as many
as it has in hand at once, so that loading the model does not count; its memory is that of all its processes together.
"""

from __future__ import annotations

import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from machine import report

from conflict_nlp.batch.local import IN_HAND
from conflict_nlp.batch.manifest import Manifest
from conflict_nlp.batch.parts import numbers, part_path, read_part
from conflict_nlp.formats.jsonl import dump, json_lines

CORPUS = Path(__file__).parent / "corpus" / "train.jsonl"
PACKAGES = ("torch", "transformers", "tokenizers", "pyarrow", "ray")
PAUSE = 0.25  # seconds between two looks at the memory


@dataclass(frozen=True)
class Setup:
    """What labels: the engine, how many workers, and how many threads each."""

    engine: str
    workers: int
    threads: int


SETUPS = (Setup("local", 1, 2), Setup("local", 2, 1), Setup("ray", 2, 1))


@dataclass(frozen=True)
class Measured:
    """A job that ran: ``seconds`` from start to end, ``documents_per_second`` once it ran steadily, megabytes at the peak and of output."""

    setup: Setup
    documents: int
    words_per_document: float
    tokens_per_document: float
    seconds: float
    documents_per_second: float
    peak_megabytes: float
    memory: str
    output_megabytes: float


def batch(
    documents: Annotated[int, typer.Option(help="Whole reports for the speed.")] = 2000,
    runs: Annotated[int, typer.Option(help="Runs of each for the speed; the median counts.")] = 3,
    sizes: Annotated[str, typer.Option(help="Numbers of short documents, for time a document and memory.")] = "1000,10000,100000",
    words: Annotated[int, typer.Option(help="Words of a short document.")] = 25,
    part_rows: Annotated[int, typer.Option(help="Rows a part.")] = 100,
    engines: Annotated[str, typer.Option(help="Engines for the speed.")] = "local,ray",
    model: Annotated[str | None, typer.Option(help="Another model than the embedded one.")] = None,
    to: Annotated[Path | None, typer.Option("--json", help="Store the figures here.")] = None,
) -> None:
    """Documents a second of batch jobs; time a document and peak memory over the size of the input."""
    try:
        numbers_of = [int(size) for size in sizes.split(",") if size]
    except ValueError:
        raise typer.BadParameter(f"--sizes {sizes}: give whole numbers with commas between them") from None
    options = ["--device", "cpu", "--part-rows", str(part_rows), *(["--model", model] if model else [])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        speed = [_median_of(folder, setup, documents, options, runs) for setup in SETUPS if setup.engine in engines.split(",")]
        steady = [_measure(folder, Setup("local", 1, 2), size, words, options) for size in numbers_of]
    given = {"documents": documents, "runs": runs, "sizes": sizes, "words": words, "part-rows": part_rows, "engines": engines}
    given |= {"model": model} if model else {}
    command = ["python", "training/benchmark.py", "batch", *(part for name, value in given.items() for part in (f"--{name}", str(value)))]
    figures = {
        "command": shlex.join(command),
        "speed": [_rounded(m) for m in speed],
        "sizes": [_rounded(m) for m in steady],
    }
    report(figures, PACKAGES, to)


def texts(words: int | None) -> Iterator[str]:
    """Texts without end: the reports of the corpus one after the other, or pieces of so many words, each time from further on in the report."""
    whole = [str(data["text"]) for _, data, _ in json_lines(CORPUS) if data is not None]
    for turn in count():
        for text in whole:
            if words is None:
                yield text
                continue
            split = text.split()
            start = 7 * turn % max(1, len(split) - words + 1)
            yield " ".join(split[start : start + words])


def _median_of(folder: Path, setup: Setup, documents: int, options: list[str], runs: int) -> Measured:
    measured = [_measure(folder, setup, documents, None, options) for _ in range(runs)]
    rates, seconds = ([getattr(m, name) for m in measured] for name in ("documents_per_second", "seconds"))
    return replace(measured[0], documents_per_second=statistics.median(rates), seconds=statistics.median(seconds))


def _measure(folder: Path, setup: Setup, documents: int, words: int | None, options: list[str]) -> Measured:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        source, output = Path(name) / "documents.jsonl", Path(name) / "output"
        total = 0
        with source.open("w", encoding="utf-8") as file:
            for number, text in enumerate(islice(texts(words), documents)):
                file.write(dump({"id": str(number), "text": text}) + "\n")
                total += len(text.split())
        chosen = ["--engine", setup.engine, "--workers", str(setup.workers), "--threads", str(setup.threads)]
        command = [sys.executable, "-c", "from conflict_nlp.cli import main; main()", "batch", str(source), "--output", str(output), *chosen, *options]
        started = time.perf_counter()
        with (Path(name) / "log").open("w+") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            peak, kind = _watch(process)
            seconds = time.perf_counter() - started
            if process.returncode:
                log.seek(0)
                raise typer.BadParameter(f"the job ended with {process.returncode}: {log.read().strip()[-500:]}")
        manifest = Manifest.read(output)
        assert manifest is not None  # the job ended well
        counts = manifest.counts
        return Measured(
            setup=setup,
            documents=counts.documents,
            words_per_document=total / documents,
            tokens_per_document=counts.tokens / documents,
            seconds=seconds,
            documents_per_second=_rate(setup, output),
            peak_megabytes=peak,
            memory=kind,
            output_megabytes=sum(path.stat().st_size for path in output.glob("part-*")) / 1e6,
        )


def _rate(setup: Setup, output: Path) -> float:
    """Documents a second from when every worker has written as many parts as it has in hand at once."""
    parts = sorted((part_path(output, number).stat().st_mtime, read_part(output, number)[0].documents) for number in numbers(output))
    begun = IN_HAND * setup.workers
    if len(parts) <= begun:
        raise typer.BadParameter(f"{len(parts)} parts are too few to take a rate from: measure more documents, or fewer --part-rows")
    done = sum(documents for _, documents in parts[begun:])
    return done / (parts[-1][0] - parts[begun - 1][0])


def _watch(process: subprocess.Popen[Any]) -> tuple[float, str]:
    """Wait for a job; the peak of its processes' memory together in megabytes, and of what kind: shared pages counted once (PSS) or in each (RSS)."""
    peak, kind = 0.0, "RSS"
    while process.poll() is None:
        used = 0
        for one in _family(process.pid):
            try:
                info = one.memory_full_info()
            except psutil.Error:
                continue
            kind = "PSS" if hasattr(info, "pss") else "RSS"
            used += info.pss if kind == "PSS" else info.rss
        peak = max(peak, used / 1e6)
        time.sleep(PAUSE)
    return peak, kind


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def _rounded(measured: Measured) -> dict[str, Any]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(measured).items()}
