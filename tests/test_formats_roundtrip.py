"""Every format gives back the documents that it can carry, and says what it cannot."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import document_lists, documents, documents_with_schemas

from conflict_nlp.document import Document, Link, Span
from conflict_nlp.formats.base import Format
from conflict_nlp.formats.files import FormatError
from conflict_nlp.formats.jsonl import read_all, write_documents
from conflict_nlp.formats.labelstudio import task as label_studio_task
from conflict_nlp.formats.records import collect
from conflict_nlp.formats.registry import all_formats, get, guess_input
from conflict_nlp.schema import CONFLICT, Attribute, Label, Schema

NEEDS = {"uima": "cassis", "spacy": "spacy", "datasets": "datasets"}
NAMES = {"brat": "x", "datasets": "x.parquet"}
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def formats() -> list[object]:
    return [pytest.param(name, id=name) for name, format in all_formats().items() if format.writes]


def fetch(name: str) -> Format:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    return get(name)


def round_trip(format: Format, given: list[Document], schema: Schema = CONFLICT) -> list[Document]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAMES.get(format.name, f"x{format.suffixes[0]}")
        format.write(path, given, schema)
        return collect(format.read(path, schema), schema)


@pytest.mark.parametrize("name", formats())
@FEW
@given(data=st.data())
def test_what_can_be_carried_comes_back(name: str, data: st.DataObject) -> None:
    format = fetch(name)
    document = data.draw(documents())
    back = round_trip(format, [document])
    assert [d.text for d in back] == [document.text]
    if not format.losses(document, CONFLICT):
        assert back == [document]


@pytest.mark.parametrize("name", formats())
@FEW
@given(data=st.data())
def test_orderly_documents_come_back_in_every_format(name: str, data: st.DataObject) -> None:
    """Documents as annotators make them: whole words, all attributes; without what a format says it has no room for."""
    format = fetch(name)
    document = data.draw(documents(words=True, whole_attributes=True, blanks=(" ",), scored=format.carries.scores))
    document = replace(document, id=document.id or "r1", meta=document.meta if format.carries.meta else {})
    if not format.carries.links:
        spans = [replace(s, attributes={}) for s in {(s.start, s.end): s for s in document.spans}.values()]
        spans.sort(key=lambda s: (s.start, -s.end))
        document = replace(document, links=(), spans=tuple(replace(s, id=f"T{n}") for n, s in enumerate(spans, 1)))
    losses = format.losses(document, CONFLICT)
    assert not [kind for kind in losses if "cut a word" not in kind]
    if not losses:
        assert round_trip(format, [document]) == [document]


@pytest.mark.parametrize("name", formats())
@FEW
@given(data=st.data())
def test_any_schema_is_followed(name: str, data: st.DataObject) -> None:
    format = fetch(name)
    document, schema = data.draw(documents_with_schemas())
    if name == "brat" and "police response" in schema.names:
        with pytest.raises(FormatError, match="a label or an attribute like 'police response'"):
            round_trip(format, [document], schema)
        return
    back = round_trip(format, [document], schema)
    assert format.losses(document, schema) or back == [document]


@pytest.mark.parametrize("name", formats())
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_files_hold_many_documents(name: str, data: st.DataObject) -> None:
    format = fetch(name)
    given = [d for d in data.draw(document_lists()) if d.id is not None]
    if given:
        back = round_trip(format, given)
        assert sorted((d.text, d.id or "") for d in back) == sorted((d.text, d.id or "") for d in given)


@pytest.mark.parametrize("name", formats())
def test_all_of_gold_comes_back(name: str, corpora: Path) -> None:
    format = fetch(name)
    gold = read_all([corpora / "gold" / "dev.jsonl"])
    if not format.carries.meta:
        gold = [replace(d, meta={}) for d in gold]
    back = {d.id: d for d in round_trip(format, gold)}
    assert len(back) == len(gold)
    if name == "conll":
        places = {d.id: sorted((s.label, s.start, s.end) for s in d.spans) for d in gold}
        assert {id: sorted((s.label, s.start, s.end) for s in d.spans) for id, d in back.items()} == places
        return
    assert not {kind for d in gold for kind in format.losses(d, CONFLICT)}
    assert [back[d.id] for d in gold] == gold


def test_losses_are_named() -> None:
    document = Document(
        "ab cd",
        (Span("T2", "ATTACK", 0, 2, "ab", {"status": "actual", "colour": "red"}, 0.5), Span("x", "TIME", 3, 5, "cd")),
        (Link("T2", "x", 0.5),),
        None,
        {"source": "s"},
    )
    assert get("jsonl").losses(document, CONFLICT) == []
    assert get("doccano").losses(document, CONFLICT) == ["attributes that the schema does not declare"]
    lines = " / ".join(get("lines").losses(document, CONFLICT))
    for kind in ("without an id", "scores of spans", "scores of links", "ids of spans", "does not declare"):
        assert kind in lines
    assert get("conll").losses(document, CONFLICT) == [
        "ids of spans (they are numbered anew)",
        "links",
        "attributes",
        "scores of spans",
        "the field 'source' of documents",
    ]


def test_lone_surrogates_travel_in_json_alone(tmp_path: Path) -> None:
    document = Document("a \ud83d b", (Span("T1", "TIME", 2, 3, "\ud83d"),), id="r1")
    for name in ("jsonl", "label-studio", "doccano", "prodigy"):
        assert round_trip(get(name), [document]) == [document]
    for name in ("brat", "conll"):
        with pytest.raises(FormatError, match="r1: character 3 is a lone surrogate"):
            round_trip(get(name), [document])
    write_documents(tmp_path / "x.jsonl", [document])
    assert (tmp_path / "x.jsonl").read_bytes().count(b"\\ud83d") == 2


def test_offsets_are_converted_for_tools_that_count_utf16_units(tmp_path: Path) -> None:
    document = Document("💥💥 fire", (Span("T1", "ATTACK", 3, 7, "fire"),), id="r1")
    get("doccano").write(tmp_path / "x.jsonl", [document], CONFLICT)
    assert json.loads((tmp_path / "x.jsonl").read_text())["entities"][0]["start_offset"] == 5
    get("label-studio").write(tmp_path / "x.json", [document], CONFLICT)
    assert '"start": 3' in (tmp_path / "x.json").read_text()


def test_label_studio_gets_predictions_for_scored_documents(tmp_path: Path) -> None:
    scored = Document("fire", (Span("T1", "ATTACK", 0, 4, "fire", {"status": "actual"}, 0.5),), id="r1")
    get("label-studio").write(tmp_path / "x.json", [scored, Document("fire", id="r2")], CONFLICT)
    first, second = json.loads((tmp_path / "x.json").read_text())
    assert "annotations" not in first
    assert [r["type"] for r in first["predictions"][0]["result"]] == ["labels", "choices"]
    assert first["predictions"][0]["score"] == 0.5
    assert second == {"data": {"text": "fire", "id": "r2"}}


def test_dataset_has_declared_features() -> None:
    pytest.importorskip("datasets")
    from conflict_nlp.formats.hf_dataset import features, from_dataset, to_dataset

    document = Document("fire", (Span("T1", "ATTACK", 0, 4, "fire", {"status": "actual"}, 0.5),), id="r1", meta={"source": ["a", 1]})
    dataset = to_dataset([document, Document("")])
    assert dataset.features == features(CONFLICT)
    assert list(from_dataset(dataset)) == [document, Document("")]


def test_dataset_folder_is_one_of_datasets(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    from conflict_nlp.formats.hf_dataset import features

    document = Document("fire", (Span("T1", "ATTACK", 0, 4, "fire"),), id="r1")
    get("datasets").write(tmp_path / "d", [document], CONFLICT)
    assert datasets.load_from_disk(str(tmp_path / "d")).features == features(CONFLICT)
    assert guess_input(tmp_path / "d").name == "datasets"
    assert collect(get("datasets").read(tmp_path / "d", CONFLICT), CONFLICT) == [document]


def test_brat_refuses_names_of_attributes_that_it_cannot_hold(tmp_path: Path) -> None:
    schema = Schema("odd", (Label("A", (), (Attribute("police response", "choice", ("yes",)),)),))
    with pytest.raises(FormatError, match="a label or an attribute like 'police response'"):
        get("brat").write(tmp_path / "x", [], schema)


def test_label_studio_keeps_the_annotation_and_not_the_old_one_in_the_data(tmp_path: Path) -> None:
    document = Document("fire", (Span("T1", "ATTACK", 0, 4, "fire"),), id="r1", meta={"source": "s"})
    task = {"data": {**document.to_dict(), "spans": [], "links": [1]}, "annotations": label_studio_task(document, CONFLICT)["annotations"]}
    (tmp_path / "x.json").write_text(json.dumps([task]))
    assert collect(get("label-studio").read(tmp_path / "x.json", CONFLICT), CONFLICT) == [document]


def test_label_studio_leaves_out_skipped_tasks_and_looks_at_predictions_only_without_annotations(tmp_path: Path) -> None:
    data, done = {"text": "fire"}, {"result": []}
    skipped = {"data": data, "annotations": [{**done, "was_cancelled": True}], "predictions": [done]}
    (tmp_path / "x.json").write_text(json.dumps([skipped, {"data": data, "annotations": [done], "predictions": [17]}]))
    first, second = get("label-studio").read(tmp_path / "x.json", CONFLICT)
    assert (first.skipped, first.dropped) == (True, ("skipped annotations",))
    assert second.document(CONFLICT).text == "fire"
    (tmp_path / "x.json").write_text(json.dumps([{"data": data, "predictions": [17]}]))
    with pytest.raises(FormatError, match="no list of results"):
        collect(get("label-studio").read(tmp_path / "x.json", CONFLICT), CONFLICT)


def test_cas_names_its_files_apart_and_refuses_doubled_ids(tmp_path: Path) -> None:
    pytest.importorskip("cassis")
    given = [Document("a", id="x y-3"), Document("b", id="x_y"), Document("c", id="x y"), Document("d", id="x_y-2")]
    get("uima").write(tmp_path / "x", given, CONFLICT)
    back = collect(get("uima").read(tmp_path / "x", CONFLICT), CONFLICT)
    assert {(d.id, d.text) for d in back} == {(d.id, d.text) for d in given}
    with pytest.raises(FormatError, match="document r: the id is used twice"):
        get("uima").write(tmp_path / "y", [Document("a", id="r"), Document("b", id="r")], CONFLICT)


def test_cas_of_others_has_identifiers_that_are_no_ids_and_lemmas_that_are_no_spans() -> None:
    pytest.importorskip("cassis")
    from cassis import Cas, TypeSystem

    from conflict_nlp.formats.uima_layers import Layers

    types = TypeSystem()
    core = "de.tudarmstadt.ukp.dkpro.core.api."
    for name in ("ner.type.NamedEntity", "segmentation.type.Lemma"):
        layer = types.create_type(core + name, "uima.tcas.Annotation")
        for feature in ("value", "identifier"):
            types.create_feature(layer, feature, "uima.cas.String")
    cas = Cas(types)
    cas.sofa_string = "Ada and Ada"
    for start in (0, 8):
        cas.add(types.get_type(core + "ner.type.NamedEntity")(begin=start, end=start + 3, value="TIME", identifier="http://kb/Ada"))
    cas.add(types.get_type(core + "segmentation.type.Lemma")(begin=0, end=3, value="TIME"))
    data, _ = Layers.read(cas.to_xmi().encode(), types.to_xml().encode(), CONFLICT)
    assert [(s["id"], s["start"]) for s in data["spans"]] == [("T1", 0), ("T2", 8)]


def test_doccano_keeps_its_annotation_from_fields_of_its_own_names(tmp_path: Path) -> None:
    document = Document("fire", (Span("T1", "ATTACK", 0, 4, "fire"),), id="r1", meta={"entities": [], "relations": 3, "source": "s"})
    assert round_trip(get("doccano"), [document]) == [replace(document, meta={"source": "s"})]
    write_documents(tmp_path / "x.jsonl", [document])
    assert guess_input(tmp_path / "x.jsonl").name == "jsonl"


def test_lines_leave_out_attributes_that_could_not_be_read_back() -> None:
    document = Document("fire", (Span("T1", "ATTACK", 0, 4, "fire", {"incident": "equiv-3"}),), id="r1")
    assert "attributes that the line cannot give (a flag that is absent is false)" in get("lines").losses(document, CONFLICT)
    assert round_trip(get("lines"), [document])[0].spans == (replace(document.spans[0], attributes={}),)


def test_names_with_blanks_and_hyphens_come_back() -> None:
    schema = Schema("odd", (Label("police response"), Label("A", (), (Attribute("size-of", "count"),))))
    blank = Document("fire", (Span("T1", "police response", 0, 4, "fire"),), id="r1")
    hyphen = Document("fire", (Span("T1", "A", 0, 4, "fire", {"size-of": "3"}),), id="r1")
    assert round_trip(get("conll"), [blank], schema) == [blank]
    assert round_trip(get("brat"), [hyphen], Schema("odd", schema.labels[1:])) == [hyphen]
