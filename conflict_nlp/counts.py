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
        low = (self.low or 0) + (other.low or 0)
        high = None if self.high is None or other.high is None else self.high + other.high
        return Count() if (low, high) == (0, None) else Count(low, high, self.approximate or other.approximate)

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
LIMIT = 10**15  # more is no count of people, but noise

_SCALE = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "lakh": 100_000, "k": 1_000, "m": 1_000_000}
_UNIT = {"dozen": 12, "score": 20, "hundred": 100, **_SCALE}
_DASHES = str.maketrans("‐‑‒–—−", "------")
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?(?![\w-])"
)

_NONE = re.compile(
    r"^(?:no(?! (?:fewer|less|more)\b)|zero|none|nobody|no one|without|neither|not (?:one|a)\b)\b"
    r"|\bno (?:one|casualt\w+|injur\w+|deaths?|fatalit\w+|victims?)\b",
    re.IGNORECASE,
)
_PART = re.compile(
    r"\b(?:half|thirds?|quarters?|most|some|any|many|several|few|part|number|majority) of (?:the|its|their|his|her|these|those|all|our)\b", re.IGNORECASE
)
_SHARE = re.compile(
    r"\d\s*(?:%|per ?cent\b)|\b1 (?:in|out of) \d|\b[1-9] in (?:[2-9]|10)\b(?! \w+ \w+| attacks)|\b\d+ (?:in|out of) (?:every \d|100?\b)", re.IGNORECASE
)
_MULTITUDE = re.compile(
    r"\b(?:several|few|many|some|couple(?: of)?) (?:dozen|score|hundred|thousand|million)\b|\b(?:dozens|scores) of\b"
    r"|^hundred of\b|\b(?:tens|hundreds|thousands|millions)\b",
    re.IGNORECASE,
)
_GROUP = r"(?:number|lot|group|crowd|series|wave|crew|gang|team|family|handful|column|convoy|platoon|patrol|squad|unit|(?-i:party))"
_VAGUE = re.compile(
    r"\b(?:dozens|scores|several|many|numerous|countless|various|few|any|some (?:of|people))\b"
    r"|\b(?:unknown|unspecified|undetermined|unidentified|untold|large|small|great) numbers?\b"
    rf"|(?:^(?:a|an|the) (?:(?:(?!(?:of|on|in|at|from|with|and)\b)[\w-]+ ){{0,2}}?{_GROUP}|host)|\b(?:unidentified|large|small) {_GROUP})s?\b"
    r"(?=$|\W*(?:[,;.]|(?:of|from|that|who|which|in|inside|outside|at|on|near|with|by|were|was)\b)|\s+\w+(?:ing|ed)\b)",
    re.IGNORECASE,
)
_FRACTION = re.compile(
    r"(?<!and )\b(?:(three[- ]quarters?|half|quarter)(?: of)? a|a (half|quarter) (?:of a )?)\s*(dozen|hundred|thousand|million|billion)\b", re.IGNORECASE
)
_FEW = r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty)"
_SHARED_UNIT = re.compile(rf"\b({_FEW}) (to|or) ({_FEW}) (hundred|thousand|million)\b", re.IGNORECASE)  # text2num reads it with the second alone
_PLACE = r"\s+(?:from|away|off|up|down|inside|outside|north|south|east|west)\b"  # behind metres
_NUMBER = re.compile(
    r"(?<![\w.,])(?:(?P<grouped>\d{1,3}(?:[, \u00a0\u202f]\d{3}){1,4})|(?P<plain>\d{1,15}(?:\.\d+)?))"
    rf"(?:\s+and\s+a\s+(?P<half>half))?(?:[\s-]*(?P<scale>thousand|million|billion|lakh|1000000000|1000000|1000)\b|\s*(?P<letter>(?<=\d)[km]\b|[km](?=\s|$)(?!{_PLACE})))?"
    r"(?:\s*(?P<dozen>dozens?|scores?)\b)?(?![\w%]|[.,]\d|-year|(?:st|nd|rd|th)\b)",
    re.IGNORECASE,
)
_LEAST = r"(?:\b(?:at least|at the least|(?:no|not) (?:fewer|less) than|more than|over|upwards? of|above|(?:a )?minimum(?: of)?|in excess of|exceed\w*)|[>≥])"
# "as many as 40" names an upper limit, as "up to 40" does
_MOST = r"(?:\b(?:at (?:the )?most|up to|as (?:many|high) as|(?:no|not) more than|fewer than|less than|under|below|(?:a )?maximum(?: of)?)|[<≤])"
_ABOUT = r"(?:(?<!\w)(?:about|around|approximately|approx\.?|roughly|nearly|almost|close to|some|an estimated|estimated|circa|c\.|~))"
_BEFORE = re.compile(rf"(?:(?P<least>{_LEAST})|(?P<most>{_MOST})|(?P<about>{_ABOUT}))[\s\"“”']*(?:the|a|an|another|other)?\s*$", re.IGNORECASE)
_AFTER = re.compile(
    r"^(?:\s*-?(?P<odd>odd\b)|\s*(?P<plus>-?plus\b|\+)"
    r"|\s*(?:\w+\s+)??(?:(?P<least>or more|at least)|(?P<most>or (?:fewer|less)|at (?:the )?most)|(?P<about>or so\b)))",
    re.IGNORECASE,
)
_RANGE = re.compile(r"^\s*(?:to|or|and|-)\s*$", re.IGNORECASE)
_LABEL_BEFORE = re.compile(
    rf"(?:\baged?|\bResolution|\bNo\.?|\bnumber|\bRoute|\bUnit|(?<!\d)[A-Za-z]-|\b{_MONTH}"
    r"|\b(?:child|children|girls?|boys?|minors|youths?|man|men|woman|women|people|persons?) (?:under|over|below|above|of))\s*$"
)
_LABEL_AFTER = re.compile(
    rf"-?\s?(?:(?:years?|months?|weeks?|days?|hours?)[ -]old|mm\b|km\b|wheeler|something\b|{_MONTH}"
    r"|(?:[A-Z]\w+ )?(?:Battalion|Brigade|Division|Regiment|Squadron))"
)
_YEAR = re.compile(r"\b(of|in|since)\s*$")
_PAIR = re.compile(r"\b(?:(?:a|the|married|young|elderly)\s+(?:\w+\s+){0,2}(?:couple|pair|duo)|twins|both)\b", re.IGNORECASE)
_ONE = re.compile(r"(?:a|an|one|another|the (?:other|only|sole|lone)|each|every|\w+-year-old)\b", re.IGNORECASE)
_CONJUNCT = re.compile(r"\s*,(?!\d{3}\b)\s*(?:and\s+)?|\s+and\s+", re.IGNORECASE)
_COUNTED = re.compile(r"(?:\d|a\b|an\b|one\b|another\b)", re.IGNORECASE)
_AGES = re.compile(r"(?<=[a-z]),\s*\d{1,2}(?:(?:,\s*|\s+and\s+)\d{1,2})*(?=\s*(?:,(?!\d)|$))")  # a boy, 12; two boys, 12 and 14
_INCLUDING = re.compile(r"\W*\s(?:including\b|among them\s+\w).*", re.IGNORECASE)
_DETAIL = re.compile(r"\b(?:of (?:them|whom)|among them)\b", re.IGNORECASE)
_KIN = re.compile(r"(?:his|her|their|its)\s+(?:(?P<number>\d+)\s+(?!(?:year|month|week|day)s?[ -]old))?(?:[\w-]+\s+){0,3}(?P<noun>\w+)$", re.IGNORECASE)


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
    text = _INCLUDING.sub("", " ".join(text.translate(_DASHES).split()))
    if _NONE.search(text):
        return Count(0, 0)
    if _MULTITUDE.search(text) or _PART.search(text):
        return UNKNOWN
    digits = _AGES.sub("", _digits(text))
    if _SHARE.search(digits):
        return UNKNOWN
    return _sum_of_conjuncts(digits) or _stated(digits, text)


def _digits(text: str) -> str:
    """Number words as digits; fractions and "a dozen" are numbers that text2num leaves alone."""
    words = _FRACTION.sub(_fraction, text)
    words = re.sub(r"\b(?:a|one) (dozen|hundred|thousand|million) and a half\b", r"1.5 \1", words, flags=re.IGNORECASE)
    words = _SHARED_UNIT.sub(_each_with_its_unit, words)
    words = re.sub(r"\b(?:a|another|a further) (dozen|score)\b", r"1 \1", words, flags=re.IGNORECASE)
    words = re.sub(r"\b(?:a|another|a further) (hundred|thousand|million)\b", r"one \1", words, flags=re.IGNORECASE)
    words = re.sub(r"-(?=(?:member|strong|odd)\b)|(?<=[A-Za-z])-(?=(?:one|two|three|four|five|six|seven|eight|nine)\b)", " ", words)
    return str(alpha2digit(words, "en", threshold=0))


def _each_with_its_unit(match: re.Match[str]) -> str:
    low, high = (int(alpha2digit(match[number].lower(), "en", threshold=0)) for number in (1, 3))
    return f"{match[1]} {match[4]} {match[2]} {match[3]} {match[4]}" if low < high else match[0]


def _fraction(match: re.Match[str]) -> str:
    whole, part = _UNIT[match[3].lower()], (match[1] or match[2]).lower()
    return str(whole // 2 if part == "half" else whole * 3 // 4 if part.startswith("three") else whole // 4)


def _stated(digits: str, text: str) -> Count:
    numbers = [match for match in _NUMBER.finditer(digits) if not _is_label(digits, match)]
    if not numbers:
        return _without_number(text)
    first, low = numbers[0], _value(numbers[0])
    if low > LIMIT:
        return UNKNOWN
    bound = _bound(digits, first)
    if len(numbers) > 1:
        second, high = numbers[1], _value(numbers[1])
        joint = digits[first.end() : second.start()]
        between = re.search(r"\b(?:between|from)\s*$", digits[: first.start()], re.IGNORECASE)
        if _factor(first) == 1 and low * _factor(second) < high and _RANGE.match(joint):
            low *= _factor(second)  # 200 to 300 thousand
        ranged = _RANGE.match(joint) and (between or joint.strip().lower() != "and")
        if low < high <= LIMIT and (ranged or (bound == "least" and _bound(digits, second) == "most")):
            return Count(low, high)
    return {"least": Count(low, None), "most": Count(None, low), "about": Count(low, low, True), "": Count(low, low)}[bound]


def _bound(digits: str, number: re.Match[str]) -> str:
    """Whether a number is named as ``least``, ``most`` or ``about``, or simply."""
    for match in (_BEFORE.search(digits[: number.start()]), _AFTER.search(digits[number.end() :])):
        if match is not None:
            found = next(name for name, value in match.groupdict().items() if value)
            return {"odd": "about", "plus": "least"}.get(found, found)
    return ""


def _value(match: re.Match[str]) -> int:
    whole, _, part = re.sub(r"[,\s]", "", match["grouped"] or match["plain"]).partition(".")
    factor = _factor(match)
    # exact: a float would round large numbers
    decimals = int(part or 0) * factor // int("1" + "0" * len(part))
    return int(whole) * factor + decimals + (factor // 2 if match["half"] else 0)


def _factor(match: re.Match[str]) -> int:
    scale, dozen = (match["scale"] or match["letter"] or "1").lower(), (match["dozen"] or "").lower().rstrip("s")
    return (int(scale) if scale.isdigit() else _SCALE[scale]) * _UNIT.get(dozen, 1)


def _is_label(text: str, match: re.Match[str]) -> bool:
    """A number that names instead of counting: the 1st Brigade, a 12-year-old girl, aged 30, Resolution 242, of 1927."""
    before, after = text[: match.start()], text[match.end() :]
    since = _YEAR.search(before)
    year = since and re.fullmatch(r"(?:19|20)\d\d", match[0]) and (since[1] != "of" or re.match(r"\s*(?:[^\w\s]|$)", after))
    return bool(year or _LABEL_BEFORE.search(before) or _LABEL_AFTER.match(after) or (re.search(r"\(\s*$", before) and re.match(r"\s*\)", after)))


def _sum_of_conjuncts(digits: str) -> Count | None:
    """The sum of "a man and two women" or "a mother and her child", where every conjunct is counted."""
    parts = [part for part in _CONJUNCT.split(digits) if not _DETAIL.search(part)]
    if len(parts) < 2 or not _COUNTED.match(parts[0]):
        return None
    if re.search(r"\b(?:between|from|including)\b|\d\s*$", digits[: len(parts[0])], re.IGNORECASE):
        return None
    total = _stated(parts[0], parts[0])
    for part in parts[1:]:
        if kin := _KIN.match(part):
            plural = kin["noun"].lower().endswith(("s", "children", "family", "men", "people"))
            if kin["number"] and len(kin["number"]) > 15:
                return UNKNOWN
            number = int(kin["number"]) if kin["number"] else 1
            total += UNKNOWN if plural and not kin["number"] else Count(number, number)
        elif _COUNTED.match(part):
            total += _stated(part, part)
        else:
            return None
    return total if total.low is not None else None


def _without_number(text: str) -> Count:
    if _VAGUE.search(text):
        return UNKNOWN
    if _PAIR.search(text):
        return Count(2, 2)
    return Count(1, 1) if _ONE.match(text) else UNKNOWN
