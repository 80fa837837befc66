from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from evaluation_cases import Pair, document, pairs, span
from hypothesis import given, settings

from conflict_nlp.document import Document
from conflict_nlp.evaluation.alignment import align
from conflict_nlp.evaluation.error_page import write_errors
from conflict_nlp.evaluation.errors import KINDS, errors
from conflict_nlp.evaluation.summary import scores
from conflict_nlp.schema import Label, Schema

ATTACK, RAID = span("a", "ATTACK", 7, 18, status="actual", incident="i1"), span("r", "ATTACK", 103, 107, incident="i1")
CONVOY = span("t", "TARGET", 22, 30)


def found(gold: Document, predicted: Document) -> list[tuple[str, str]]:
    return [(e.kind, e.note) for e in errors(align([gold], [predicted])[0])]


def test_kinds() -> None:
    time = span("z", "TIME", 46, 54)
    assert found(document(CONVOY), document()) == [("missed", "")]
    assert found(document(), document(CONVOY)) == [("invented", "")]
    assert found(document(CONVOY), document(span("t", "TARGET", 24, 30))) == [("boundary", "")]
    assert found(document(time), document(span("z", "LOCATION", 43, 54))) == [("wrong label", "TIME in the gold, LOCATION in the prediction")]
    other = span("a", "ATTACK", 7, 18, status="other")
    assert found(document(ATTACK), document(other)) == [("wrong attribute", "status: actual in the gold, other in the prediction")]
    apart = span("r", "ATTACK", 103, 107, incident="i2")
    assert found(document(ATTACK, RAID), document(ATTACK, apart)) == [("wrong incident", "one incident in the gold, two in the prediction")]


def test_links() -> None:
    linked = document(ATTACK, RAID, CONVOY, links=(("a", "t"),))
    assert found(linked, document(ATTACK, RAID, CONVOY, links=(("r", "t"),))) == [
        ("wrong link", "missed: ATTACK to TARGET"),
        ("wrong link", "invented: ATTACK to TARGET"),
    ]
    assert found(linked, document(ATTACK, RAID)) == [("missed", ""), ("wrong link", "missed: ATTACK to TARGET; the TARGET has no counterpart")]


@settings(max_examples=50, deadline=None)
@given(pair=pairs())
def test_there_are_errors_exactly_where_the_scores_say_so(pair: Pair) -> None:
    listed = [e for a in align(*pair) for e in errors(a)]
    assert all(e.kind in KINDS for e in listed)
    kinds = {e.kind for e in listed}
    values = scores(*pair)
    assert (values["span_exact_f1"] < 100) == bool(kinds & {"missed", "invented", "boundary", "wrong label"})
    assert (values["link_overlap_f1"] < 100) == ("wrong link" in kinds)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attributes if k in ("src", "href")]


def test_page_is_escaped_and_needs_no_network(tmp_path: Path) -> None:
    text = '<script>alert("x")</script> & <b>\'bombs\'</b> \ud800 fell in Київ'
    gold = Document(text, (span("1", "ATTACK", 0, 8, text=text), span("2", "TARGET", 3, 12, text=text)), id='"><img src=x onerror=alert(1)>')
    path = tmp_path / "errors.html"
    assert write_errors(path, align([gold], [Document(text, id=gold.id)])) == 2
    page = path.read_text()
    parser = Tags()
    parser.feed(page)
    assert parser.tags.count("script") == 1
    assert parser.tags.count("article") == 2
    assert not {"img", "b", "link"} & set(parser.tags)
    assert parser.links == []
    assert not re.search(r"https?://", page)
    assert "Київ" in page
    assert [p.name for p in tmp_path.iterdir()] == ["errors.html"]


def test_page_marks_nested_spans_on_their_side(tmp_path: Path) -> None:
    gold = document(span("a", "ATTACK", 7, 18), span("t", "TARGET", 13, 18), links=(("a", "t"),))
    write_errors(tmp_path / "e.html", align([gold], [document(*gold.spans)]))
    page = (tmp_path / "e.html").read_text()
    assert "<div class='gold'><h3>gold</h3><p>Gunmen <mark>opened</mark><mark> fire<sub>ATTACK TARGET</sub></mark> on" in page
    assert "<div class='predicted'><h3>prediction</h3><p>Gunmen opened fire on" in page
    assert 'data-kind="wrong link" data-labels="ATTACK\tTARGET"' in page


def test_page_can_be_filtered_by_every_kind_and_label(tmp_path: Path) -> None:
    write_errors(tmp_path / "e.html", align([document(CONVOY)], [document()]))
    page = (tmp_path / "e.html").read_text()
    for option in (*KINDS[:5], "ATTACK", "TERRITORY"):
        assert f"<option>{option}</option>" in page


def test_labels_with_blanks_stay_apart_in_the_filter(tmp_path: Path) -> None:
    schema = Schema("blanks", (Label("police raid", ("PLACE",)), Label("PLACE")))
    spans = span("a", "police raid", 7, 18), span("p", "PLACE", 34, 39)
    write_errors(tmp_path / "e.html", align([document(*spans, links=(("a", "p"),))], [document(*spans)], schema))
    page = (tmp_path / "e.html").read_text()
    assert 'data-labels="police raid\tPLACE"' in page
    assert r'labels.split("\t")' in page


def test_long_texts_are_cut_around_the_error(tmp_path: Path) -> None:
    text = "word " * 2_000 + "bomb" + " word" * 2_000
    gold = Document(text, (span("1", "WEAPON", 10_000, 10_004, text=text),))
    write_errors(tmp_path / "e.html", align([gold], [Document(text)]))
    page = (tmp_path / "e.html").read_text()
    assert "<mark>bomb<sub>WEAPON</sub></mark>" in page
    assert len(page) < 10_000


def test_errors_of_incidents_are_few_and_short_however_far_apart(tmp_path: Path) -> None:
    text = ("raid " + "word " * 200) * 40
    places = [text.index("raid", n * 1_005) for n in range(40)]
    gold = document(*(span(f"g{n}", "ATTACK", p, p + 4, text=text, incident="i1") for n, p in enumerate(places)), text=text)
    halves = document(*(span(f"p{n}", "ATTACK", p, p + 4, text=text, incident=f"i{n % 2}") for n, p in enumerate(places)), text=text)
    (alignment,) = align([gold], [halves])
    assert [(e.kind, e.gold[0].start, e.gold[1].start) for e in errors(alignment)] == [("wrong incident", a, b) for a, b in pairwise(places)]
    write_errors(tmp_path / "e.html", [alignment])
    assert len((tmp_path / "e.html").read_text()) < 40 * 5_000


def test_nothing_is_left_behind_when_the_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        write_errors(tmp_path / "missing" / "e.html", [])
