"""A job: a plan, an engine and a folder; what is in the folder already is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from conflict_nlp.batch import parts
from conflict_nlp.batch.engine import Chunk, Engine, Labelled
from conflict_nlp.batch.errors import BatchError
from conflict_nlp.batch.flat_tables import FlatFormat, write_flat
from conflict_nlp.batch.lock import locked
from conflict_nlp.batch.manifest import NAME, Counts, Identity, Manifest, Session, Status, versions
from conflict_nlp.batch.parts import Part
from conflict_nlp.batch.plan import CHUNK_CHARACTERS, Plan
from conflict_nlp.loading import first_line
from conflict_nlp.schema import Schema


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Args:
        plan: the input.
        folder: where the output goes.
        model: the model's name, for the record; ``model_hash`` is what counts.
        model_hash: see :func:`conflict_nlp.batch.manifest.hash_model`.
        settings: further options that change the result, thresholds say.
        given: the inputs as the command named them.
        flat: the tables for a spreadsheet, if they are wanted.
        engine: the engine's name, ``device`` and ``workers`` its own, for the record.
    """

    plan: Plan
    folder: Path
    model: str
    model_hash: str
    settings: dict[str, Any]
    given: tuple[str, ...]
    flat: FlatFormat | None = None
    engine: str = "local"
    device: str = "auto"
    workers: int = 1

    @property
    def schema(self) -> Schema:
        """The model's labels."""
        return self.plan.schema

    @property
    def identity(self) -> Identity:
        """By what the job is known again."""
        columns = self.plan.columns
        options = {"text": columns.text, "id": columns.id, "max_chars": columns.max_chars, "chunk_rows": self.plan.chunk_rows}
        settings = {**options, "chunk_characters": CHUNK_CHARACTERS, **self.settings}
        return Identity(self.model_hash, self.schema.to_dict(), settings, tuple(self.plan.fingerprints))


class Watcher(Protocol):
    """Is told how the job goes on."""

    def begin(self, counts: Counts, total: float) -> None:
        """What was there already, and how many bytes the whole input has."""
        ...

    def step(self, counts: Counts, position: float) -> None:
        """How far the job is now, in all; ``position`` counts bytes of the input."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    status: Status
    counts: Counts


def run(job: Job, engine: Callable[[], Engine], watcher: Watcher, stopped: Callable[[], bool]) -> Outcome:
    """Do a job, or what is left of it.

    Args:
        job: what is to be done.
        engine: makes the engine; not called where nothing is left to label.
        watcher: is told of every part.
        stopped: whether to finish what is in hand and stop.

    Raises:
        BatchError: the folder belongs to another job, or the input or the folder fails under way; what was written stays, and the same job goes on from there.
    """
    _prepare(job.folder)
    with locked(job.folder):
        parts.sweep(job.folder)
        manifest = _manifest(job)
        run = _Run(job, watcher, stopped)
        run.look()
        watcher.begin(run.counts, job.plan.bytes)
        started, clock, before = datetime.now(timezone.utc), time.perf_counter(), run.counts

        def ended(status: Status) -> Manifest:
            seconds, now = round(time.perf_counter() - clock, 3), run.counts
            done = (now.documents - before.documents, now.tokens - before.tokens)
            session = Session(started.isoformat(timespec="seconds"), seconds, *done, job.device, job.workers, job.engine, versions())
            return manifest.ended(status, now, session)

        try:
            if manifest.status != "done" or manifest.counts.parts != len(run.done):
                replace(manifest, status="running").write(job.folder)
                run.label(engine)
            status: Status = "interrupted" if run.left_over else "done"
            parts.write_errors(job.folder, parts.numbers(job.folder))
            if job.flat and status == "done":
                write_flat(job.folder, job.schema, job.flat)
        except Exception as error:
            _try(lambda: ended("failed").write(job.folder))
            raise BatchError(f"{first_line(error)}; {run.counts.documents:,} documents are written, the same command goes on from there") from error
        ended(status).write(job.folder)
        return Outcome(status, run.counts)


class _Run:
    """One session of a job: counts what is there, labels what is not."""

    def __init__(self, job: Job, watcher: Watcher, stopped: Callable[[], bool]) -> None:
        self.job = job
        self.watcher = watcher
        self.stopped = stopped
        self.counts = Counts()
        self.done: dict[int, str] = {}  # the digests of the chunks whose parts are there
        self.left_over = False  # whether it was stopped before the last chunk

    def look(self) -> None:
        """Count the parts that are there."""
        for number in parts.numbers(self.job.folder):
            self._count(parts.read_part(self.job.folder, number)[0])

    def label(self, engine: Callable[[], Engine]) -> None:
        """Label what is left, and write it."""
        left = self._left()
        first = next(left, None)
        if first is None:
            return
        labelling = engine()
        try:
            for labelled in labelling.label(_chain(first, left)):
                self._write(labelled)
        finally:
            labelling.close()

    def _left(self) -> Iterator[Chunk]:
        number = -1
        for chunk in self.job.plan.chunks():
            number = chunk.number
            if self.stopped():
                self.left_over = True
                return
            if number not in self.done:
                yield chunk
            elif self.done[number] != chunk.digest:
                raise BatchError(self._other_input(number))
        if beyond := [n for n in self.done if n > number]:
            raise BatchError(self._other_input(beyond[0]))

    def _other_input(self, number: int) -> str:
        path = parts.part_path(self.job.folder, number)
        return f"{path}: was made of other rows: the input changed since the job began, put it back or name another folder"

    def _write(self, labelled: Labelled) -> None:
        self._count(parts.write_part(self.job.folder, labelled))
        self.watcher.step(self.counts, labelled.chunk.position)

    def _count(self, part: Part) -> None:
        self.done[part.number] = part.digest
        c = self.counts
        self.counts = Counts(c.parts + 1, c.rows + part.rows, c.documents + part.documents, c.errors + part.errors, c.tokens + part.tokens)


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = not (folder / NAME).exists() and any(not path.name.startswith(".") for path in folder.iterdir())
    except OSError as error:
        raise BatchError(f"{folder}: cannot be written to: {error.strerror or error}") from error
    if strange:
        raise BatchError(f"{folder}: holds files, but no job of this command: name a new folder")


def _manifest(job: Job) -> Manifest:
    earlier = Manifest.read(job.folder)
    if earlier is None:
        columns = {field.name: str(field.type) for field in job.plan.output_schema}
        earlier = Manifest("running", job.model, job.given, job.identity, columns)
        earlier.write(job.folder)
    elif differences := earlier.identity.differences(job.identity):
        raise BatchError(f"{job.folder}: holds another job: {'; '.join(differences)}: name another folder")
    return earlier


def _chain(first: Chunk, rest: Iterator[Chunk]) -> Iterator[Chunk]:
    yield first
    yield from rest


def _try(action: Callable[[], None]) -> None:
    try:
        action()
    except (ValueError, OSError):  # the error under way is the one to tell
        return
