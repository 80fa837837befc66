"""What the authored corpus was written to hold, as bars that its statistics meet or fail."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from corpus_counts import Commonest, Statistics

THEMES = {"strike": 0.30, "insurgency": 0.20, "sovereignty": 0.25, "civilians": 0.10, "negative": 0.15}
OUTCOMES = ("killed", "injured", "missing", "captured", "displaced", "unspecified")
KINDS = ("violation", "assertion", "recognition", "rejection")
THEME_TOLERANCE = 0.02
HALF_TOLERANCE = 0.05
TEST = 120
MOST_COMMON = 0.03
MOST_OVERLAP = 0.25


@dataclass(frozen=True)
class Bar:
    """One demand, what the corpus has, and whether that is enough."""

    name: str
    wanted: str
    found: str
    holds: bool


def bars(statistics: Statistics) -> list[Bar]:
    """Every bar, whether it holds or not."""
    s = statistics
    pair = s.overlap
    return [
        _at_least("passages of 40 to 200 words", s.lengths.proper, 600),
        Bar("passages in test", str(TEST), str(s.splits["test"]), s.splits["test"] == TEST),
        *_themes(s),
        _at_least("ATTACK", s.labels["ATTACK"], 1500),
        _share_at_least("ATTACK that are other", s.statuses["other"], s.labels["ATTACK"], 0.20),
        _at_least("CASUALTY", s.labels["CASUALTY"], 900),
        *_each("CASUALTY", s.outcomes, OUTCOMES, 40),
        _at_least("CASUALTY that are a subset", s.subsets, 120),
        _at_least("CLAIM", s.labels["CLAIM"], 350),
        *_each("CLAIM", s.kinds, KINDS, 60),
        _at_least("CLAIM linked to an ATTACK", s.claims_with_attack, 150),
        _at_least("links across a sentence boundary", s.links_across, 250),
        _rare("ATTACKER", s.attacker),
        _rare("LOCATION", s.location),
        _rare("opening of three words", s.opening),
        Bar(
            "most 5-grams in common of two passages",
            f"<= {MOST_OVERLAP:.0%}",
            f"{pair.share:.1%}" + (f" ({pair.first}, {pair.second})" if pair.first else ""),
            pair.share <= MOST_OVERLAP,
        ),
    ]


def _themes(s: Statistics) -> list[Bar]:
    found = [_near(f"theme {name}", s.themes[name], s.passages, share, THEME_TOLERANCE) for name, share in THEMES.items()]
    unknown = sorted(set(s.themes) - set(THEMES))
    known = Bar("themes beside these", "none", ", ".join(unknown) or "none", not unknown)
    return [*found, known, _near("sovereignty with an attack", s.sovereignty_with_attack, s.themes["sovereignty"], 0.5, HALF_TOLERANCE)]


def _at_least(name: str, found: int, wanted: int) -> Bar:
    return Bar(name, f">= {wanted:,}", f"{found:,}", found >= wanted)


def _each(label: str, found: Counter[str], values: tuple[str, ...], wanted: int) -> list[Bar]:
    return [_at_least(f"{label} {value}", found[value], wanted) for value in values]


def _share_at_least(name: str, part: int, whole: int, wanted: float) -> Bar:
    share = part / whole if whole else 0.0
    return Bar(name, f">= {wanted:.0%}", f"{share:.1%}", share >= wanted)


def _near(name: str, part: int, whole: int, wanted: float, tolerance: float) -> Bar:
    share = part / whole if whole else 0.0
    # a billionth of slack, since 0.32 - 0.30 is more than 0.02 in floating point
    return Bar(name, f"{wanted:.0%} ± {100 * tolerance:.0f} points", f"{share:.1%}", abs(share - wanted) <= tolerance + 1e-9)


def _rare(name: str, found: Commonest) -> Bar:
    return Bar(f"commonest {name}", f"<= {MOST_COMMON:.0%}", f"{found.share:.1%} ({found.text})", found.share <= MOST_COMMON)
