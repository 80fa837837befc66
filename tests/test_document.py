import json

import pytest
from hypothesis import given
from strategies import documents

from conflict_nlp.counts import Count
from conflict_nlp.document import Document, DocumentError, document_problems

REPORT = {
    "id": "r1",
    "text": "The airstrikes killed at least 12 people, among them three children; a later strike wounded five. Iraq calls it a violation of its airspace.",
    "spans": [
        {"id": "T1", "label": "ATTACK", "start": 4, "end": 14, "text": "airstrikes", "status": "actual", "incident": "i1", "score": 0.98},
        {"id": "T2", "label": "CASUALTY", "start": 22, "end": 40, "text": "at least 12 people", "outcome": "killed", "count": ">=12", "subset": False},
        {"id": "T3", "label": "CASUALTY", "start": 53, "end": 67, "text": "three children", "outcome": "killed", "count": "3", "subset": True},
        {"id": "T4", "label": "ATTACK", "start": 77, "end": 83, "text": "strike", "status": "actual", "incident": "i2"},
        {"id": "T5", "label": "CASUALTY", "start": 92, "end": 96, "text": "five", "outcome": "injured", "count": "5", "subset": False},
        {"id": "T6", "label": "CLAIM", "start": 114, "end": 139, "text": "violation of its airspace", "kind": "violation"},
        {"id": "T7", "label": "CLAIMANT", "start": 98, "end": 102, "text": "Iraq"},
    ],
    "links": [
        {"anchor": "T1", "argument": "T2"},
        {"anchor": "T1", "argument": "T3"},
        {"anchor": "T4", "argument": "T5", "score": 0.5},
        {"anchor": "T6", "argument": "T7"},
        {"anchor": "T6", "argument": "T1"},
    ],
    "source": "wire",
}


def test_a_document_goes_to_json_and_back():
    document = Document.from_dict(REPORT)
    assert document.to_dict() == REPORT
    assert Document.from_dict(json.loads(json.dumps(document.to_dict()))) == document
    assert document.meta == {"source": "wire"}


def test_views_resolve_links():
    document = Document.from_dict(REPORT)
    first, second = document.attacks
    assert [s.text for s in first.casualties] == ["at least 12 people", "three children"]
    assert second.casualties[0].count.bounds == (5, 5)
    (claim,) = document.claims
    assert claim.kind == "violation"
    assert [s.text for s in claim.claimants] == ["Iraq"]
    assert claim.attacks == (first.span,)
    assert document.span("T3").subset


def test_incidents_add_up_without_counting_twice():
    first, second = Document.from_dict(REPORT).incidents
    assert (first.id, second.id) == ("i1", "i2")
    assert first.killed.bounds == (12, None)
    assert first.injured is None
    assert second.injured.bounds == (5, 5)
    assert second.killed is None
    assert first.status == "actual"


def test_two_mentions_of_one_incident_share_casualties():
    data = json.loads(json.dumps(REPORT))
    data["spans"][3]["incident"] = "i1"
    data["links"].append({"anchor": "T4", "argument": "T2"})
    (incident,) = Document.from_dict(data).incidents
    assert incident.killed.bounds == (12, None)
    assert incident.injured.bounds == (5, 5)
    assert [s.id for s in incident.arguments("CASUALTY")] == ["T2", "T3", "T5"]


def test_details_alone_are_a_lower_bound():
    data = json.loads(json.dumps(REPORT))
    data["spans"][1]["subset"] = True
    assert Document.from_dict(data).incidents[0].killed.bounds == (12, None)


def test_a_lone_detail_is_what_it_says():
    data = json.loads(json.dumps(REPORT))
    data["spans"][1] |= {"outcome": "missing", "count": "~20", "subset": True}
    assert str(Document.from_dict(data).incidents[0].count("missing")) == "~20"


def test_an_incident_without_a_status_has_none():
    data = json.loads(json.dumps(REPORT))
    for span in data["spans"]:
        span.pop("status", None)
    assert Document.from_dict(data).incidents[0].status is None


def test_a_detail_is_a_lower_bound_where_the_whole_tells_no_number():
    data = json.loads(json.dumps(REPORT))
    data["spans"][1]["count"] = "?"
    assert Document.from_dict(data).incidents[0].killed.bounds == (3, None)
    del data["spans"][2]["count"]
    assert Document.from_dict(data).incidents[0].killed == Count()


def test_a_count_of_none_is_no_lower_bound():
    data = json.loads(json.dumps(REPORT))
    data["spans"][1]["count"], data["spans"][2]["count"], data["spans"][2]["subset"] = "0", "?", False
    assert Document.from_dict(data).incidents[0].killed == Count()


def test_anchors_stand_in_the_order_of_the_text():
    data = {**REPORT, "spans": REPORT["spans"][::-1]}
    assert [a.span.id for a in Document.from_dict(data).attacks] == [a.span.id for a in Document.from_dict(REPORT).attacks]


def test_every_problem_is_found_at_once():
    bad = {
        "text": "A raid in Gao.",
        "spans": [
            {"id": "a", "label": "ATTACK", "start": 2, "end": 99, "text": "raid"},
            {"id": "b", "label": "RAID", "start": 2, "end": 6},
            {"id": "b", "label": "LOCATION", "start": 10, "end": 13, "text": "Goa"},
            {"id": "c", "label": "CASUALTY", "start": 0, "end": 1, "count": "many", "outcome": "dead", "subset": "yes"},
            {"id": "d", "label": "TIME", "start": True, "end": 3, "score": "high"},
            "e",
        ],
        "links": [{"anchor": "a", "argument": "z"}, {"anchor": "c", "argument": "a", "score": "0.9"}, {"anchor": "a"}],
    }
    problems = document_problems(bad)
    named = ("2-99", "no label 'RAID'", "used twice", "'Goa'", "'many'", "'dead'", "'yes'", "True", "'high'", "span 6")
    for words in (*named, "no span z", "takes no", "'0.9'", "link 3"):
        assert any(words in p for p in problems), words
    with pytest.raises(DocumentError) as error:
        Document.from_dict(bad)
    assert len(str(error.value).splitlines()) == len(problems)


@pytest.mark.parametrize("data", [None, [], "text", {}, {"text": 3}, {"text": "a", "spans": {}}, {"text": "a", "links": 3}, {"text": "a", "id": 3}])
def test_data_of_the_wrong_shape_are_refused_with_one_problem(data):
    assert len(document_problems(data)) == 1


@given(documents())
def test_random_documents_go_to_json_and_back(document):
    data = json.loads(json.dumps(document.to_dict()))
    again = Document.from_dict(data)
    assert again == document
    assert all(again.text[s.start : s.end] == s.text for s in again.spans)
