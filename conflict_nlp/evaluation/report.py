"""The report: all scores of a set of predictions, how sure they are, by slice, and against another system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from conflict_nlp import __version__
from conflict_nlp.document import Document
from conflict_nlp.evaluation.alignment import Alignment, align
from conflict_nlp.evaluation.bootstrap import RESAMPLES, Difference, Interval, compare, intervals
from conflict_nlp.evaluation.calibration import Calibration, link_calibration, span_calibration
from conflict_nlp.evaluation.measures import Measure, Statistics
from conflict_nlp.evaluation.slices import slices
from conflict_nlp.evaluation.summary import statistics
from conflict_nlp.schema import CONFLICT, Schema

LEVEL = 0.95


@dataclass(frozen=True)
class Settings:
    """What to report: fields to slice by, and the bootstrap; without ``resamples`` there are no intervals and no test."""

    slices: tuple[str, ...] = ()
    resamples: int = RESAMPLES
    seed: int = 0


@dataclass(frozen=True)
class Scores:
    """The scores of some documents, each with its interval where one was asked for. Percent, but ``*_error`` in people a document."""

    documents: int
    values: Mapping[str, float]
    intervals: Mapping[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """The scores as plain data."""
        bounds = {name: [i.low, i.high] for name, i in self.intervals.items()}
        return {"documents": self.documents, "scores": dict(self.values), **({"intervals": bounds} if bounds else {})}


@dataclass(frozen=True)
class SliceScores:
    """The scores of the documents where ``field`` is ``value``."""

    field: str
    value: str
    scores: Scores


@dataclass(frozen=True)
class Comparison:
    """Another system's scores, and what this one has more or less."""

    other: Scores
    differences: Mapping[str, Difference]


@dataclass(frozen=True)
class Report:
    """Everything that was measured; ``note`` says what could not be."""

    schema: str
    settings: Settings
    measures: tuple[Measure, ...]
    scores: Scores
    slices: tuple[SliceScores, ...] = ()
    spans: Calibration | None = None
    links: Calibration | None = None
    comparison: Comparison | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data for JSON."""
        data: dict[str, Any] = {"version": __version__, "schema": self.schema, **self.scores.to_dict()}
        if self.settings.resamples:
            data["bootstrap"] = {"unit": "document", "level": LEVEL, "resamples": self.settings.resamples, "seed": self.settings.seed}
        tables = {"spans": self.spans, "links": self.links}
        data["calibration"] = {name: {"error": t.error, "bins": [asdict(b) for b in t.bins]} for name, t in tables.items() if t is not None and t.number}
        data["slices"] = [{"field": s.field, "value": s.value, **s.scores.to_dict()} for s in self.slices]
        if self.comparison is not None:
            differences = {n: {"difference": d.value, "low": d.interval.low, "high": d.interval.high, "p": d.p} for n, d in self.comparison.differences.items()}
            data["comparison"] = {"other": self.comparison.other.to_dict(), "differences": differences}
        return data


def report(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    schema: Schema = CONFLICT,
    other: Sequence[Document] | None = None,
    settings: Settings | None = None,
) -> Report:
    """Measure predictions, and compare them with those of another system where given.

    Raises:
        MismatchError: a side is not about the same documents as the gold.
        SliceError: the gold has no such field to slice by.
    """
    settings = settings or Settings()
    alignments = align(gold, predicted, schema)
    counted = statistics(alignments, schema)
    parts = [part for field in settings.slices for part in slices(gold, field)]
    of_spans, of_links, note = _calibrations(alignments)
    return Report(
        schema=schema.name,
        settings=settings,
        measures=counted.measures,
        scores=_scores(counted, settings),
        slices=tuple(SliceScores(p.field, p.value, _scores(counted.select(p.documents), settings)) for p in parts),
        spans=of_spans,
        links=of_links,
        comparison=None if other is None else _comparison(counted, statistics(align(gold, other, schema), schema), settings),
        note=note,
    )


def _calibrations(alignments: Sequence[Alignment]) -> tuple[Calibration | None, Calibration | None, str]:
    """The calibration of spans and of links, or why there is none."""
    try:
        return span_calibration(alignments), link_calibration(alignments), ""
    except ValueError as error:
        return None, None, f"no calibration: {error}"


def _scores(counted: Statistics, settings: Settings) -> Scores:
    some = settings.resamples > 0 and len(counted.counts) > 0
    return Scores(len(counted.counts), counted.scores(), intervals(counted, settings.resamples, LEVEL, settings.seed) if some else {})


def _comparison(counted: Statistics, other: Statistics, settings: Settings) -> Comparison:
    some = settings.resamples > 0 and len(counted.counts) > 0
    differences = compare(counted, other, settings.resamples, LEVEL, settings.seed) if some else {}
    return Comparison(_scores(other, settings), differences)
