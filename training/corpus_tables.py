"""The statistics of the authored corpus as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from corpus_bars import Bar
from corpus_counts import Statistics
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show(statistics: Statistics, results: Sequence[Bar], console: Console | None = None) -> None:
    """Print everything that was counted, then the bars."""
    console = console or Console()
    s = statistics
    console.print(_totals(s))
    for title, counts in (
        ("passages by split", s.splits),
        ("passages by theme", s.themes),
        ("passages by register", s.registers),
        ("spans by label", s.labels),
        ("ATTACK by status", s.statuses),
        ("CASUALTY by outcome", s.outcomes),
        ("CLAIM by kind", s.kinds),
    ):
        console.print(_counts(title, counts))
    console.print(_agreement(s))
    console.print(_bars(results))


def _totals(s: Statistics) -> Table:
    table = Table(title="corpus", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in (
        ("passages", f"{s.passages:,}"),
        ("sentences", f"{s.sentences:,}"),
        ("words", f"{s.words:,}"),
        ("words a passage: shortest, mean, longest", f"{s.lengths.shortest}, {s.lengths.mean:.1f}, {s.lengths.longest}"),
        ("passages with nothing marked", f"{s.unmarked:,}"),
        ("sovereignty passages with an ATTACK", f"{s.sovereignty_with_attack:,}"),
        ("spans", f"{s.labels.total():,}"),
        ("CASUALTY that are a subset", f"{s.subsets:,}"),
        ("links", f"{s.links:,}"),
        ("links across a sentence boundary", f"{s.links_across:,}"),
        ("CLAIM linked to an ATTACK", f"{s.claims_with_attack:,}"),
    ):
        table.add_row(name, value)
    return table


def _counts(title: str, counts: Counter[str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    for name, number in counts.most_common():
        table.add_row(escape(name), f"{number:,}", f"{number / counts.total():.1%}")
    return table


def _agreement(s: Statistics) -> Table:
    table = Table(title=f"agreement of two annotations, {s.agreement.passages} passages, %", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in s.agreement.scores.items():
        table.add_row(name, f"{value:.1f}")
    return table


def _bars(results: Sequence[Bar]) -> Table:
    table = Table("bar", "wanted", "found", "", title="bars", title_justify="left")
    for bar in results:
        table.add_row(bar.name, bar.wanted, escape(bar.found), "[green]holds[/]" if bar.holds else "[bold red]fails[/]")
    return table
