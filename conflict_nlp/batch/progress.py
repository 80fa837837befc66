"""How a job goes on: a bar in a terminal, a line every so often elsewhere, JSON for a scheduler."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from conflict_nlp.batch.manifest import Counts

WINDOW = 120.0  # seconds over which rates are taken
LOG_SECONDS = 30.0
JSON_SECONDS = 5.0


@dataclass(frozen=True)
class Figures:
    """A job at a moment: counts in all, rates a second of late, the share of the input that is done, seconds since the start and to the end."""

    documents: int
    errors: int
    tokens: int
    documents_per_second: float
    tokens_per_second: float
    share: float
    seconds: float
    seconds_left: float | None

    def line(self) -> str:
        """The figures for a person."""
        left = "" if self.seconds_left is None else f", {timedelta(seconds=round(self.seconds_left))} left"
        rate = f"{self.documents_per_second:,.1f} documents and {self.tokens_per_second:,.0f} tokens a second"
        return f"{self.share:.1%}{left}: {self.documents:,} documents, {self.errors:,} errors, {rate}"


class Meter:
    """Makes figures of what a job reports; keeps the points of the last ``WINDOW`` seconds."""

    def __init__(self) -> None:
        self.total = 0.0
        self.position = 0.0
        self.started = time.monotonic()
        self._points: deque[tuple[float, Counts, float]] = deque()

    def begin(self, counts: Counts, total: float) -> None:
        """The job starts, or goes on."""
        self.total, self.started = total, time.monotonic()
        self._points.append((self.started, counts, -1.0))

    def step(self, counts: Counts, position: float) -> Figures:
        """The figures with one more part."""
        now = time.monotonic()
        self.position = max(self.position, position)
        first_time, first, first_position = self._points[0]
        if first_position < 0:  # the share done by earlier sessions is known with the first part only
            done = counts.rows - first.rows
            first_position = self.position * first.rows / counts.rows if done else self.position
            self._points[0] = (first_time, first, first_position)
        self._points.append((now, counts, self.position))
        while len(self._points) > 2 and now - self._points[1][0] > WINDOW:
            self._points.popleft()
        first_time, first, first_position = self._points[0]
        seconds = max(now - first_time, 1e-6)
        speed = (self.position - first_position) / seconds
        return Figures(
            documents=counts.documents,
            errors=counts.errors,
            tokens=counts.tokens,
            documents_per_second=round((counts.documents - first.documents) / seconds, 3),
            tokens_per_second=round((counts.tokens - first.tokens) / seconds, 1),
            share=round(min(1.0, self.position / self.total), 6) if self.total else 1.0,
            seconds=round(now - self.started, 3),
            seconds_left=round((self.total - self.position) / speed, 1) if speed > 0 else None,
        )


class Progress:
    """Shows the figures. Either as lines of JSON on standard output, or on standard error, for a person."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.meter = Meter()
        self._shown = -1e9
        self._live: Any = None

    def begin(self, counts: Counts, total: float) -> None:
        """The job starts, or goes on."""
        self.meter.begin(counts, total)
        self._shown = time.monotonic()
        if self.as_json:
            _print_json("start", {**asdict(counts), "bytes": total})
        else:
            if counts.parts:
                _say(f"{counts.documents:,} documents are there already")
            if sys.stderr.isatty():
                from rich.console import Console
                from rich.live import Live

                self._live = Live("", console=Console(stderr=True), transient=True, auto_refresh=False)
                self._live.start()

    def step(self, counts: Counts, position: float) -> None:
        """One more part is written."""
        figures, now = self.meter.step(counts, position), time.monotonic()
        if self._live is not None:
            self._live.update(figures.line(), refresh=True)
        elif now - self._shown >= (JSON_SECONDS if self.as_json else LOG_SECONDS):
            self._shown = now
            if self.as_json:
                _print_json("progress", asdict(figures))
            else:
                _say(figures.line())

    def end(self, event: str, counts: Counts, line: str) -> None:
        """The job is done or interrupted; ``line`` says so to a person."""
        self.close()
        if self.as_json:
            _print_json(event, {**asdict(counts), "seconds": round(time.monotonic() - self.meter.started, 3)})
        _say(line)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def _print_json(event: str, data: dict[str, Any]) -> None:
    print(json.dumps({"event": event, **data}), flush=True)


def _say(line: str) -> None:
    print(f"conflict-nlp: {line}", file=sys.stderr, flush=True)
