"""Counts of people: "at least a dozen soldiers" -> at least 12.

A count is a pair of bounds. Its text form is the grammar of the annotation guidelines:
``3``, ``>=12``, ``<=40``, ``~100``, ``10-15``, ``0`` and ``?``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from text_to_num import alpha2digit


@dataclass(frozen=True)
class Count:
    """A number of people between ``low`` and ``high``, both inclusive; ``None`` is an open bound.

    ``approximate`` is for "about 100": both bounds are the number that was named.

    >>> str(Count(12, None)), str(Count(10, 15)), str(Count(None, None))
    ('>=12', '10-15', '?')
    """

    low: int | None = None
    high: int | None = None
    approximate: bool = False

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        """``(low, high)``."""
        return self.low, self.high

    @property
    def known(self) -> bool:
        """Whether the text gives any number."""
        return self.bounds != (None, None)

    def __str__(self) -> str:
        if self.low is None:
            return "?" if self.high is None else f"<={self.high}"
        if self.high is None:
            return f">={self.low}"
        if self.low == self.high:
            return f"~{self.low}" if self.approximate else str(self.low)
        return f"{self.low}-{self.high}"

    def __add__(self, other: Count) -> Count:
        """The sum; an unknown summand opens the upper bound."""
        if not self.known and not other.known:
            return Count()
        high = None if self.high is None or other.high is None else self.high + other.high
        return Count((self.low or 0) + (other.low or 0), high, self.approximate or other.approximate)

    @classmethod
    def from_string(cls, text: str) -> Count:
        """Read the guidelines' grammar.

        Raises:
            ValueError: the text is not in that grammar.
        """
        if text == "?":
            return cls()
        match = re.fullmatch(r"(?P<mark>~|>=|<=)?(?P<first>[0-9]{1,18})(?:-(?P<second>[0-9]{1,18}))?", text)
        if match is None or (match["mark"] and match["second"]):
            raise ValueError(f"{text!r} is no count: write 3, >=12, <=40, ~100, 10-15, 0 or ?")
        first = int(match["first"])
        if match["second"]:
            second = int(match["second"])
            if second < first:
                raise ValueError(f"{text!r} is no count: the range runs backwards")
            return cls(first, second)
        return {">=": cls(first, None), "<=": cls(None, first), "~": cls(first, first, True), None: cls(first, first)}[match["mark"]]


UNKNOWN = Count()

_SCALE = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "lakh": 100_000, "k": 1_000, "m": 1_000_000}
_NUMBER = re.compile(
    r"(?<![\w.,])(?:(?P<grouped>\d{1,3}(?:[,  ]\d{3})+)|(?P<plain>\d{1,15}(?:\.\d+)?))"
    r"(?:\s+and\s+a\s+(?P<half>half))?(?:[\s-]*(?P<scale>thousand|million|billion|lakh|1000000000|1000000|1000|k|m)\b)?"
    r"(?:\s*(?P<dozen>dozens?|scores?)\b)?(?![\w%]|[.,]\d|-year|(?:st|nd|rd|th)\b)",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"^(?:no(?! (?:fewer|less|more)\b)|zero|none|nobody|no one|without)\b|\bno (?:one|casualt\w+|injur\w+|deaths?|fatalit\w+|victims?)\b",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"\b(?:dozens|scores|several|many|numerous|countless|various|few|any|some (?:of|people)"
    r"|(?:a|an|the|unknown|unspecified|undetermined|unidentified|large|small|great)"
    r" (?:number|lot|group|crowd|series|wave|crew|gang|team|family|handful|host|column|convoy)s?)\b",
    re.IGNORECASE,
)
_LEAST = r"(?:at least|at the least|no (?:fewer|less) than|not (?:fewer|less) than|more than|over|upwards? of|above|a minimum of|in excess of|exceed\w*)"
# "as many as 40" names an upper limit, as "up to 40" does
_MOST = r"(?:at (?:the )?most|up to|as (?:many|high) as|no more than|not more than|fewer than|less than|under|below|a maximum of)"
_ABOUT = r"(?:about|around|approximately|approx\.?|roughly|nearly|almost|close to|some|an estimated|estimated|circa|c\.|~)"
_BEFORE = re.compile(rf"(?:(?P<least>\b{_LEAST})|(?P<most>\b{_MOST})|(?P<about>(?<!\w){_ABOUT}))\s*(?:the|a|an|another|other)?\s*$", re.IGNORECASE)
_AFTER = re.compile(r"^\s*(?:(?P<least>or more|plus\b|\+|at least)|(?P<most>or (?:fewer|less)|at (?:the )?most)|(?P<about>or so\b))", re.IGNORECASE)
_RANGE = re.compile(r"^\s*(?:to|or|and|[-–—])\s*$", re.IGNORECASE)
_ONE = re.compile(r"(?:a|an|one|another|the (?:other|only)|each|every)\b", re.IGNORECASE)
_PAIR = re.compile(r"\b(?:(?:a|the|married|young|elderly) (?:couple|pair|duo)|both)\b", re.IGNORECASE)
_CONJUNCT = re.compile(r"(?:\band\b|,)\s+(?:(?:his|her|their|its)\s+\w+|(?:a|an|another|one)\s+\w+)", re.IGNORECASE)
_MULTITUDE = re.compile(
    r"\b(?:several|few|many|some) (?:dozen|score|hundred|thousand|million)\b|\b(?:dozens|scores|hundred) of\b|\b(?:tens|hundreds|thousands|millions)\b",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"(?<!and )\b(?:(half|quarter)(?: of)? a|a (half|quarter) (?:of a )?)\s*(dozen|hundred|thousand|million|billion)\b", re.IGNORECASE)
_FRACTION_OF = {"dozen": 12, "hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}


def parse(text: str) -> Count:
    """The count that a noun phrase states.

    Number words are read by ``text2num``; what reports of conflict add to them ("a dozen", "at least", "up to",
    "between 10 and 15", "a mother and her child") is read here, by the guidelines for the count of a CASUALTY.

    >>> parse("at least a dozen soldiers").bounds
    (12, None)
    >>> parse("between 10 and 15").bounds
    (10, 15)
    >>> parse("several American troops").known
    False
    """
    text = " ".join(text.split())
    if _NONE.search(text):
        return Count(0, 0)
    if _MULTITUDE.search(text):
        return UNKNOWN
    # fractions and "a dozen" are numbers that text2num leaves alone
    words = _FRACTION.sub(_fraction, text)
    words = re.sub(r"\ba (dozen|score)\b", r"1 \1", words, flags=re.IGNORECASE)
    words = re.sub(r"\ba (hundred|thousand|million)\b", r"one \1", words, flags=re.IGNORECASE)
    digits = _digits(words)
    numbers = [(m, _value(m)) for m in _NUMBER.finditer(digits)]
    numbers = [(m, v) for m, v in numbers if not _is_label(digits, m)]
    if not numbers:
        return _without_number(text)
    first, low = numbers[0]
    if len(numbers) > 1:
        second, high = numbers[1]
        joint = digits[first.end() : second.start()]
        between = re.search(r"\b(?:between|from)\s*$", digits[: first.start()], re.IGNORECASE)
        if _RANGE.match(joint) and low < high and (between or joint.strip().lower() != "and"):
            return Count(low, high)
    before, after = _BEFORE.search(digits[: first.start()]), _AFTER.search(digits[first.end() :])
    for match in (before, after):
        if match is not None:
            if match["least"]:
                return Count(low, None)
            if match["most"]:
                return Count(None, low)
            return Count(low, low, approximate=True)
    return Count(low, low)


def _digits(text: str) -> str:
    """Number words as digits; "one" as a pronoun or in a name does no harm, since the first number decides."""
    joined = re.sub(r"(?<=[A-Za-z])-(?=(?:one|two|three|four|five|six|seven|eight|nine)\b)", " ", text)
    return str(alpha2digit(joined, "en", threshold=0))


def _fraction(match: re.Match[str]) -> str:
    whole = _FRACTION_OF[match[3].lower()]
    return str(whole // (2 if (match[1] or match[2]).lower() == "half" else 4))


def _value(match: re.Match[str]) -> int:
    value = float(re.sub(r"[,\s ]", "", match["grouped"] or match["plain"]))
    if match["half"]:
        value += 0.5
    if scale := match["scale"]:
        value *= int(scale) if scale.isdigit() else _SCALE[scale.lower()]
    if dozen := match["dozen"]:
        value *= 12 if dozen.lower().startswith("dozen") else 20
    return int(value)


def _is_label(text: str, match: re.Match[str]) -> bool:
    """A number that names instead of counting: the 1st Brigade, a 12-year-old girl, aged 30, Resolution 242."""
    before, after = text[: match.start()], text[match.end() :]
    return bool(
        re.search(r"(?:\baged?|\bResolution|\bNo\.?|\bnumber|\bRoute|\bUnit|[A-Za-z]-)\s*$", before)
        or re.match(r"-?\s?(?:(?:years?|months?)[ -]old|mm\b|km\b|%|per ?cent|wheeler|(?:[A-Z]\w+ )?(?:Battalion|Brigade|Division|Regiment|Squadron))", after)
        or (re.search(r"\(\s*$", before) and re.match(r"\s*\)", after))
    )


def _without_number(text: str) -> Count:
    if _VAGUE.search(text):
        return UNKNOWN
    if _PAIR.search(text):
        return Count(2, 2)
    if _ONE.match(text):
        conjuncts = len(_CONJUNCT.findall(text))
        return Count(1 + conjuncts, 1 + conjuncts)
    return UNKNOWN
