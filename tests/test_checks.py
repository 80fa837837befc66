"""The checks find each kind of mistake, and mend what has one mend only."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from strategies import documents, documents_with_schemas
from typer.testing import CliRunner, Result

from conflict_nlp.checks import check, check_files, document_warnings
from conflict_nlp.document import Document, document_problems
from conflict_nlp.formats import FormatError
from conflict_nlp.formats.jsonl import read_all, write_documents
from conflict_nlp.mending import mend, words_cut
from conflict_nlp.schema import Label, Schema

TEXT = "Gunmen fired at Baidoa. Two people died."


def span(id: str, label: str, words: str, **more: Any) -> dict[str, Any]:
    start = TEXT.index(words)
    defaults: dict[str, Any] = {"ATTACK": {"status": "actual", "incident": "i1"}, "CASUALTY": {"outcome": "killed", "count": "2", "subset": False}}
    return {"id": id, "label": label, "start": start, "end": start + len(words), "text": words, **defaults.get(label, {}), **more}


def document(*spans: dict[str, Any], links: tuple[tuple[str, str], ...] = (), id: str | None = "r1", text: str = TEXT) -> dict[str, Any]:
    data = {"text": text, "spans": list(spans), "links": [{"anchor": a, "argument": b} for a, b in links]}
    return data if id is None else {"id": id, **data}


GOOD = document(span("T1", "ATTACK", "fired"), span("T2", "ATTACKER", "Gunmen"), links=(("T1", "T2"),))


def write(path: Path, *items: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(check)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def warned(*spans: dict[str, Any], links: tuple[tuple[str, str], ...] = ()) -> list[str]:
    return list(document_warnings(Document.from_dict(document(*spans, links=links))))


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (document(span("T1", "ATTACK", "fired", end=99)), "do not lie inside"),
        (document(span("T1", "ATTACK", "fired", start=0)), "its text is"),
        (document(span("T1", "ATTACK", "fired", end=7)), "do not lie inside"),
        (document(span("T1", "RAID", "fired")), "no label 'RAID'"),
        (document(span("T1", "ATTACK", "fired", status="real")), "status is 'real'"),
        (document(span("T1", "ATTACK", "fired"), span("T2", "CLAIMANT", "Gunmen"), links=(("T1", "T2"),)), "ATTACK takes no CLAIMANT"),
        (document(span("T1", "ATTACK", "fired"), links=(("T1", "T9"),)), "there is no span T9"),
    ],
)
def test_errors(item: dict[str, Any], problem: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", GOOD, {**item, "id": "bad"})
    errors = [finding for finding in check_files([path]).findings if finding.error]
    assert errors
    assert all(finding.where == f"{path}:2" and finding.id == "bad" for finding in errors)
    assert any(problem in finding.problem for finding in errors)
    assert str(errors[0]).startswith(f"{path}:2: bad: span" if problem[0] != "A" and "T9" not in problem else f"{path}:2: bad: link")


def test_warnings_of_a_document() -> None:
    attack = span("T1", "ATTACK", "fired")
    assert warned(attack, span("T2", "ATTACKER", "Gunmen"), links=(("T1", "T2"),)) == []
    assert warned(attack, span("T2", "ATTACKER", "Gunmen")) == ["span T2 ATTACKER 'Gunmen' is linked to no anchor: link it, or take it out"]
    linked = {"links": (("T1", "T2"),)}
    assert "begins or ends in blanks" in warned(attack, span("T2", "ATTACKER", "Gunmen "), **linked)[0]
    assert "is blank" in warned(attack, span("T2", "ATTACKER", " "), **linked)[0]
    assert warned(attack, span("T2", "ATTACKER", "unmen"), **linked) == ["span T2 ATTACKER 'unmen' cuts the word 'Gunmen': mark it whole, or not at all"]
    casualty = span("T2", "CASUALTY", "Two people")
    assert warned(attack, casualty, **linked) == []
    assert "has no outcome: say which of killed" in warned(attack, {k: v for k, v in casualty.items() if k != "outcome"}, **linked)[0]
    assert "has no count" in warned(attack, {k: v for k, v in casualty.items() if k != "count"}, **linked)[0]
    assert "the schema does not declare" in warned(attack, {**casualty, "colour": "red"}, **linked)[0]
    assert "stands 2 times" in warned(attack, casualty, links=(("T1", "T2"), ("T1", "T2")))[0]
    twice = {"links": (("T1", "T2"), ("T1", "T3"))}
    assert "stands twice, also as T2" in warned(attack, casualty, {**casualty, "id": "T3"}, **twice)[0]
    assert warned(attack, casualty, {**casualty, "id": "T3", "outcome": "captured"}, **twice) == []
    assert list(document_warnings(Document(" \n"))) == ["the text is blank: take the document out"]


def test_what_shows_only_between_documents(tmp_path: Path) -> None:
    other = document(span("T1", "ATTACK", "fired"), span("T2", "TARGET", "Gunmen"), links=(("T1", "T2"),), id="r2")
    first = write(tmp_path / "a.jsonl", GOOD, {**GOOD, "text": GOOD["text"]}, other)
    second = write(tmp_path / "b.jsonl", {**GOOD, "id": "r9"})
    findings = [str(finding).replace(str(tmp_path) + "/", "") for finding in check_files([first, second]).findings]
    assert findings[0] == "a.jsonl:2: r1: the id is used before, at a.jsonl:1: give each document its own"
    assert sum("the same text is annotated differently" in finding for finding in findings) == 1
    assert any(finding.startswith("b.jsonl:1: r9: warning: the same text with the same annotation is in two files") for finding in findings)
    assert any(finding.startswith("b.jsonl: warning: has no TARGET") for finding in findings)
    assert not any("has no CLAIM" in finding for finding in findings)


def test_counts_and_agreement(tmp_path: Path) -> None:
    other = document(span("T1", "ATTACK", "fired"), span("T2", "TARGET", "Gunmen"), links=(("T1", "T2"),))
    first, second = write(tmp_path / "a.jsonl", GOOD), write(tmp_path / "b.jsonl", other)
    checked = check_files([first, second])
    assert checked.counts[str(first)] == Counter(documents=1, links=1, ATTACK=1, ATTACKER=1)
    agreement = checked.agreements[str(first), str(second)]
    assert agreement["documents"] == 1
    assert agreement["span_exact_f1"] == pytest.approx(50)
    assert not any("annotated differently" in finding.problem for finding in checked.findings)
    output = run(first, second).output
    assert "agreement of" in output
    assert "span_exact_f1 50.0" in output


def test_mending(tmp_path: Path) -> None:
    shifted = {**span("T1", "ATTACK", "fired"), "start": 0, "end": 5}
    wide = span("T2", "ATTACKER", "Gunmen ")
    again = {**span("T3", "ATTACKER", "Gunmen")}
    path = write(tmp_path / "x.jsonl", document(shifted, wide, again, links=(("T2", "T1"), ("T1", "T3"))), GOOD | {"id": "r2"})
    result = run(path, "--fix")
    assert result.exit_code == 0, result.output
    assert result.output.count(f"{path}:1: r1: mended: ") == 5
    for part in ("T1 'fired' is moved to 7-12", "'Gunmen ' is now 'Gunmen'", "T3 is taken out, since it repeats T2", "turned round", "since it stands before"):
        assert part in result.output
    assert [d.to_dict()["spans"] for d in read_all([path])] == [GOOD["spans"]] * 2
    assert run(path, "--fix").output.count("mended: ") == 0


def test_what_is_not_safe_stays_as_it_is(tmp_path: Path) -> None:
    twice = document({**span("T1", "ATTACK", "fired"), "start": 0, "end": 5}, text=TEXT + " They fired.")
    path = write(tmp_path / "x.jsonl", twice)
    before = path.read_bytes()
    result = run(path, "--fix")
    assert result.exit_code == 1
    assert path.read_bytes() == before
    path.write_text("{}\nno json\n")
    assert run(path, "--fix").exit_code == 2
    assert path.read_text() == "{}\nno json\n"
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(FormatError, match="convert it first"):
        check_files([tmp_path / "x.json"], fix=True)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents())
def test_mending_keeps_documents_valid_and_comes_to_rest(given: Document) -> None:
    data = json.loads(json.dumps(given.to_dict()))
    list(mend(data))
    assert document_problems(data) == []
    assert list(mend(data)) == []
    assert not any("(--fix does)" in warning for warning in document_warnings(Document.from_dict(data)))
    assert len(data["spans"]) <= len(given.spans)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents_with_schemas())
def test_doubled_spans_that_are_linked_to_each_other(given: tuple[Document, Schema]) -> None:
    document, schema = given
    data = json.loads(json.dumps(document.to_dict()))
    data["spans"] += [{**item, "id": f"{item['id']}-again"} for item in data["spans"]]
    data["links"] += [{"anchor": s.id, "argument": f"{s.id}-again"} for s in document.spans if schema.takes(s.label, s.label)]
    list(mend(data, schema))
    assert document_problems(data, schema) == []


def test_a_link_of_two_spans_that_become_one_is_taken_out() -> None:
    schema = Schema("own", (Label("GROUP", ("GROUP",)),))
    places = {"label": "GROUP", "start": 0, "end": 6}
    data = {"text": TEXT, "spans": [{"id": "T1", **places}, {"id": "T2", **places}], "links": [{"anchor": "T1", "argument": "T2"}]}
    assert list(mend(data, schema))[-1] == "link T1 to T2 is taken out, since both are now T1"
    assert data["links"] == []


@pytest.mark.parametrize("other", ["x.json", "broken.jsonl"])
def test_nothing_is_mended_where_a_later_file_is_refused(other: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", document({**span("T1", "ATTACK", "fired"), "start": 0, "end": 5}))
    before = path.read_bytes()
    (tmp_path / other).write_text("no json")
    assert run(path, tmp_path / other, "--fix").exit_code == 2
    assert path.read_bytes() == before


def test_one_id_with_two_texts_in_two_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", GOOD)
    second = write(tmp_path / "b.jsonl", {**GOOD, "text": TEXT + " More."})
    told = [str(finding) for finding in check_files([first, second]).findings]
    assert f"{second}:1: r1: warning: the id has another text at {first}:1: give each document its own id" in told


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents(words=True, blanks=(" ",)))
def test_whole_words_are_not_called_cut(given: Document) -> None:
    for item in given.spans:
        assert list(words_cut(given.text, item.start, item.end)) == []


def test_exit_codes(tmp_path: Path) -> None:
    warning = write(tmp_path / "w.jsonl", document(span("T1", "ATTACK", "fired"), span("T2", "ATTACKER", "Gunmen")))
    assert run(warning).exit_code == 0
    assert run(warning, "--strict").exit_code == 1
    assert run(write(tmp_path / "e.jsonl", document(span("T1", "X", "fired")))).exit_code == 1
    assert run(tmp_path / "none.jsonl").exit_code == 2


def test_gold_has_no_errors(corpora: Path) -> None:
    checked = check_files([corpora / "gold" / "dev.jsonl"])
    assert [finding for finding in checked.findings if finding.error] == []
    assert checked.counts[str(corpora / "gold" / "dev.jsonl")]["links"] == 2_082


def test_other_formats_are_checked_too(tmp_path: Path) -> None:
    from conflict_nlp.formats.registry import get
    from conflict_nlp.schema import CONFLICT

    write_documents(tmp_path / "x.jsonl", [Document.from_dict(GOOD)])
    get("brat").write(tmp_path / "b", [Document.from_dict(GOOD)], CONFLICT)
    checked = check_files([tmp_path / "b", tmp_path / "x.jsonl"])
    assert [f for f in checked.findings if f.error] == []
    assert checked.agreements[str(tmp_path / "b"), str(tmp_path / "x.jsonl")]["link_exact_f1"] == 100
