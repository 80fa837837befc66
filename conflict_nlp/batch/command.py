"""The command ``batch``."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from conflict_nlp.batch.engine import CHUNK_ROWS
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.flat_tables import FlatFormat
from conflict_nlp.batch.labeller import MAX_CHARS, Labeller
from conflict_nlp.onnx.choice import Runtime, chosen, in_integers

if TYPE_CHECKING:
    from conflict_nlp.batch.engine import Engine
    from conflict_nlp.batch.job import Job


class EngineName(str, Enum):
    """What labels."""

    local = "local"
    ray = "ray"


def batch(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT…", help=".parquet, .jsonl, .csv (also .gz, .zst), .txt, a folder of them, a datasets folder; globs; URLs.")
    ],
    output: Annotated[str, typer.Option(help="The folder for the Parquet parts. The same command goes on where it stopped.")],
    text: Annotated[str, typer.Option(help="The column with the texts.")] = "text",
    id: Annotated[str | None, typer.Option(help="The column with the ids. [default: id where there is one, else the file and row]")] = None,
    model: Annotated[str | None, typer.Option(help="A model's folder or Hub id, instead of the embedded model.")] = None,
    encoder: Annotated[str | None, typer.Option(help="The folder of the encoder, for a --model that is an adapter.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    engine: Annotated[EngineName, typer.Option(help="local: this machine; ray: a Ray cluster.")] = EngineName.local,
    workers: Annotated[int | None, typer.Option(help="Processes. [default: one a GPU; on a CPU two that share its cores]")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads a CPU worker. [default: the cores, shared among the workers]")] = None,
    ray_address: Annotated[str | None, typer.Option(help="The Ray cluster. [default: RAY_ADDRESS, else one of this machine]")] = None,
    batch_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens that the model reads at once. [default: by the device]")] = None,
    half: Annotated[bool | None, typer.Option("--half/--full-precision", help="Half or single precision. [default: half on a GPU, single on a CPU]")] = None,
    runtime: Annotated[Runtime, typer.Option(help="torch, onnx (ONNX Runtime on the CPU), or auto: onnx in 8-bit integers where it is there.")] = Runtime.torch,
    max_chars: Annotated[int, typer.Option(min=1, help="A longer text is an error.")] = MAX_CHARS,
    part_rows: Annotated[int, typer.Option(min=1, help="Rows of the input a part; it ends earlier at a million characters.")] = CHUNK_ROWS,
    flat: Annotated[FlatFormat | None, typer.Option(help="Also write tables of attacks and claims, to _flat/.")] = None,
    json_progress: Annotated[bool, typer.Option("--json-progress", help="Lines of JSON on standard output, for a scheduler.")] = False,
) -> None:
    """Label archives of any size: Parquet parts, a manifest and the rows that failed; resumes where it was stopped.

    Exit codes: 0 all labelled, 1 done but some rows gave no document, 2 could not start or go on, 130 interrupted.
    """
    for package in ("pyarrow", "fsspec"):
        if importlib.util.find_spec(package) is None:
            raise BatchError(f"{package} is not installed: pip install 'conflict-nlp[batch]'")
    if ray_address is not None and engine is not EngineName.ray:
        raise BatchError("--ray-address is for --engine ray")
    if "://" in output:
        raise BatchError(f"{output}: the output is a folder of this machine: name one, and copy it afterwards")
    from conflict_nlp.batch.job import run
    from conflict_nlp.batch.progress import Progress

    if runtime is Runtime.auto and engine is EngineName.ray:
        raise BatchError("--runtime auto may be another one on each machine of a cluster: name torch or onnx")
    if runtime is Runtime.onnx and device == "auto":
        device = "cpu"  # where that runtime computes
    labeller = Labeller(model=model, device=device, batch_tokens=batch_tokens, max_chars=max_chars, half=half, encoder=encoder, runtime=runtime.value)
    labeller, job = _job(inputs, Path(output), labeller, engine is EngineName.ray, (text, id), part_rows, flat)
    progress = Progress(json_progress)
    make, job = _engine(job, labeller, engine, (workers, threads), ray_address)
    with _until_stopped() as stopped:
        try:
            outcome = run(job, make, progress, stopped)
        finally:
            progress.close()
    counts = outcome.counts
    if outcome.status == "interrupted":
        progress.end("interrupted", counts, f"stopped behind {counts.documents:,} documents: the same command goes on from there")
        raise typer.Exit(130)
    failed = f", {counts.errors:,} rows gave none: {job.folder / '_errors.jsonl'}" if counts.errors else ""
    progress.end("done", counts, f"{counts.documents:,} documents in {job.folder}{failed}")
    raise typer.Exit(1 if counts.errors else 0)


def _job(
    inputs: list[str], folder: Path, labeller: Labeller, cluster: bool, names: tuple[str, str | None], part_rows: int, flat: FlatFormat | None
) -> tuple[Labeller, Job]:
    """The job, and the labeller with what was left to be decided."""
    from dataclasses import replace

    from conflict_nlp.batch.blocks import Columns
    from conflict_nlp.batch.job import Job
    from conflict_nlp.batch.manifest import hash_model
    from conflict_nlp.batch.plan import Plan
    from conflict_nlp.batch.sources import find_sources, would_read
    from conflict_nlp.loading import ModelError, locate, resolve_device
    from conflict_nlp.onnx.model import OnnxModel
    from conflict_nlp.schema import Schema

    for given in inputs:
        if "://" not in given and Path(given).is_dir() and would_read(Path(given), folder):
            raise BatchError(f"{folder}: lies in the input {given}, and would be read with it: name a folder outside")
    place, config = locate(labeller.model)
    columns = Columns(names[0], names[1] or "id", names[1] is not None, labeller.max_chars)
    plan = Plan(find_sources(inputs, folder), columns, Schema.from_dict(config["schema"]), part_rows)
    # what was labelled in one precision does not go on in another; the actors of a cluster may have devices that this machine has not
    settings = {"runtime": labeller.runtime, "half": labeller.half}
    if not cluster:
        runtime = chosen(labeller.runtime, place, str(resolve_device(labeller.device)), labeller.in_half, False)
        quantised = runtime == "onnx" and in_integers(config)
        if labeller.runtime == "auto" and runtime == "onnx":
            try:
                OnnxModel(place, config, quantised, labeller.encoder)
            except ModelError:
                runtime, quantised = "torch", False
        settings = {"runtime": runtime if runtime == labeller.runtime else f"{labeller.runtime}: {runtime}", "half": labeller.in_half}
        if labeller.runtime != runtime:  # were it left open, a worker that cannot have the one would take the other
            labeller = replace(labeller, runtime=runtime, quantised=quantised)
    return labeller, Job(plan, folder, labeller.model or "the embedded model", hash_model(place), settings, tuple(inputs), flat)


def _engine(job: Job, labeller: Labeller, name: EngineName, wanted: tuple[int | None, int | None], ray_address: str | None) -> tuple[Callable[[], Engine], Job]:
    from dataclasses import replace

    workers, threads = wanted
    if name is EngineName.ray:
        from conflict_nlp.batch.ray_engine import RayEngine

        return lambda: RayEngine(labeller, workers, ray_address, threads or 1), replace(job, engine="ray", device=labeller.device, workers=workers or 0)
    from conflict_nlp.batch.local import LocalEngine, Workers

    seats = Workers.of(labeller.device, workers, threads)
    return lambda: LocalEngine(labeller, seats), replace(job, device=", ".join(dict.fromkeys(seats.devices)), workers=len(seats.devices))


@contextmanager
def _until_stopped() -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM came; a second one ends the process at once, which costs no more than the chunks in hand."""
    came: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if came:
            os._exit(130)
        came.append(number)
        print("conflict-nlp: stopping behind what is in hand (once more: at once)", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
