"""The report as tables for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from conflict_nlp.evaluation.bootstrap import Difference, Interval
from conflict_nlp.evaluation.calibration import Calibration
from conflict_nlp.evaluation.measures import Measure
from conflict_nlp.evaluation.report import Report, Scores
from conflict_nlp.pretty import visible

_SLICED = ("span_exact_f1", "span_overlap_f1", "link_overlap_f1", "record_f1")


def render(report: Report) -> Group:
    """All tables of a report."""
    return Group(*_tables(report))


def _tables(report: Report) -> Iterator[RenderableType]:
    yield _main(report)
    if labels := _labels(report):
        yield labels
    if report.slices:
        yield _slices(report)
    if report.comparison is not None and report.comparison.differences:
        yield _comparison(report.comparison.differences, report.comparison.other)
    for name, calibration in (("spans", report.spans), ("links", report.links)):
        if calibration is not None and calibration.number:
            yield _calibration(name, calibration)
    if report.note:
        yield Text(report.note)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _main(report: Report) -> Table:
    scores = report.scores
    title = f"{scores.documents} documents, schema {escape(visible(report.schema))}"
    table = _table(title, "", "precision", "recall", "F1 or accuracy", "95 % interval", "macro F1")
    for measure in report.measures:
        if measure.label is not None:
            continue
        key = main_key(measure)
        if measure.kind == "f1":
            edges = (_number(scores.values.get(f"{measure.name}_{part}")) for part in ("precision", "recall"))
            macro = _number(scores.values.get(f"{measure.name}_macro_f1"))
            table.add_row(_words(measure.name), *edges, _number(scores.values[key]), _interval(scores.intervals.get(key)), macro)
        elif measure.kind == "accuracy":
            table.add_row(_words(measure.name), "", "", _number(scores.values[key]), _interval(scores.intervals.get(key)), "")
    for measure in report.measures:
        if measure.kind == "error":
            key = main_key(measure)
            table.add_row(f"{_words(measure.name)}, error in people", "", "", _number(scores.values[key]), _interval(scores.intervals.get(key)), "")
    return table


def _labels(report: Report) -> Table | None:
    names = ("span_exact", "span_overlap")
    labels = dict.fromkeys(m.label for m in report.measures if m.name == names[0] and m.label is not None)
    if not labels:
        return None
    table = _table("F1 of each label", "", "exact", "95 % interval", "overlap", "95 % interval")
    for label in labels:
        keys = [f"{name}_f1_{label}" for name in names]
        cells = [cell for key in keys for cell in (_number(report.scores.values[key]), _interval(report.scores.intervals.get(key)))]
        table.add_row(Text(visible(label)), *cells)
    return table


def _slices(report: Report) -> Table:
    shown = [key for key in report.scores.values if key in _SLICED or key.endswith("_bcubed_f1")]
    table = _table("Slices, F1", "", "documents", *(_words(key.removesuffix("_f1")) for key in shown))
    for part in report.slices:
        cells = [f"{_number(part.scores.values[key])}\n{_interval(part.scores.intervals.get(key))}".strip() for key in shown]
        table.add_row(Text(visible(f"{part.field}: {part.value}")), str(part.scores.documents), *cells)
    return table


def _comparison(differences: Mapping[str, Difference], other: Scores) -> Table:
    table = _table("Against the other predictions", "", "other", "difference", "95 % interval", "p")
    for key, difference in differences.items():
        if key.endswith(("_f1", "_accuracy", "_error")):
            value = other.values.get(key)
            table.add_row(_words(key), _number(value), f"{difference.value:+.1f}", _interval(difference.interval), f"{difference.p:.3f}")
    return table


def _calibration(name: str, calibration: Calibration) -> Table:
    table = _table(f"Calibration of {name}: expected error {calibration.error:.1f}", "score", "number", "mean score", "right")
    for part in calibration.bins:
        table.add_row(f"{part.low:.1f} to {part.high:.1f}", str(part.number), f"{100 * part.score:.1f}", f"{100 * part.accuracy:.1f}")
    return table


def main_key(measure: Measure) -> str:
    """The name of a measure's foremost score."""
    return f"{measure.name}_{measure.kind}"


def _words(name: str) -> str:
    return escape(name.replace("_", " ").replace("bcubed", "B-cubed"))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:.1f} to {interval.high:.1f}"
