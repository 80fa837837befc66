"""The sample files of each tool's documentation, rebuilt by hand, load."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from conflict_nlp.document import Document, Span
from conflict_nlp.formats.brat import configuration
from conflict_nlp.formats.labelstudio_config import labeling_config
from conflict_nlp.formats.records import Record, collect
from conflict_nlp.formats.registry import get, guess_input
from conflict_nlp.schema import CONFLICT, Attribute, Label, Schema

DATA = Path(__file__).parent / "data" / "formats"


def load(name: str, *labels: Label) -> tuple[list[Document], set[str]]:
    schema = Schema("sample", labels) if labels else CONFLICT
    path = DATA / name
    records: list[Record] = list(guess_input(path).read(path, schema))
    return collect(records, schema), {kind for record in records for kind in record.dropped}


def marked(document: Document) -> list[Any]:
    return [(s.label, s.text, dict(s.attributes)) if s.attributes else (s.label, s.text) for s in document.spans]


def linked(document: Document) -> list[tuple[str, str]]:
    return [(document.span(link.anchor).text, document.span(link.argument).text) for link in document.links]


def test_label_studio() -> None:
    organization = Label("Organization", ("Person",), (Attribute("sort", "choice", ("company", "party")),))
    (first, second), dropped = load("labelstudio.json", Label("Person"), organization)
    assert (first.id, second.id, dict(first.meta)) == ("1", "2", {"source": "a newspaper"})
    assert marked(first) == [("Person", "Jamshid Hashim"), ("Organization", "Trend Micro", {"sort": "company"})]
    assert linked(first) == [("Trend Micro", "Jamshid Hashim")]  # drawn the other way, as the schema cannot have it
    assert marked(second) == [("Organization", "annotation")]
    assert dropped == {"skipped annotations", "answers to 'comment' that are no attribute of the region's label"}


def test_prodigy() -> None:
    labels = [Label("FAM", ("PERSON",)), Label("PERSON"), Label("NP"), Label("REF_PERSON", ("NP",))]
    (document,), dropped = load("prodigy.jsonl", *labels)
    assert marked(document) == [("FAM", "My mother"), ("PERSON", "Sasha Smith"), ("NP", "dogs"), ("NP", "pedigree cats"), ("REF_PERSON", "I")]
    assert linked(document) == [("My mother", "Sasha Smith"), ("I", "dogs"), ("I", "pedigree cats")]
    assert dict(document.meta) == {"source": "GitHub"}
    assert dropped == {"relations of words that are no span", "tasks that were not accepted"}


def test_doccano() -> None:
    (first, second, third), dropped = load("doccano.jsonl", Label("ORG", ("DATE", "PERSON")), Label("DATE"), Label("PERSON"), Label("MISC"))
    assert marked(first) == [("ORG", "Google"), ("DATE", "September 4, 1998"), ("PERSON", "Larry Page"), ("PERSON", "Sergey Brin")]
    assert linked(first) == [("Google", "September 4, 1998"), ("Google", "Larry Page"), ("Google", "Sergey Brin")]
    assert dict(first.meta) == {"source": "encyclopaedia"}
    assert marked(second) == [("ORG", "firetrucks")]
    assert marked(third) == [("ORG", "EU"), ("MISC", "German"), ("MISC", "British")]
    assert dropped == {"comments"}


def test_brat() -> None:
    labels = [Label("MERGE-ORG", ("Organization",)), Label("Organization", ("Country",)), Label("Country"), Label("Product")]
    (document,), dropped = load("brat", *labels)
    assert document.id == "sony"
    assert marked(document) == [
        ("Organization", "Sony"),
        ("MERGE-ORG", "joint venture"),
        ("Organization", "Ericsson"),
        ("Country", "Sweden"),
        ("Product", "mobile\ntelephones"),
    ]
    assert linked(document) == [("joint venture", "Sony"), ("joint venture", "Ericsson"), ("Ericsson", "Sweden")]
    assert {kind.split(" of ")[0] for kind in dropped} == {"notes", "normalizations (N)", "equivalences", "the attribute Negation", "the attribute Confidence"}


def test_inception() -> None:
    pytest.importorskip("cassis")
    (document,), dropped = load("inception", Label("FOUNDING", ("PER", "ORG")), Label("PER"), Label("ORG", ("PER",)))
    assert document.id == "acme.txt"
    assert marked(document) == [("PER", "Ada Smith"), ("ORG", "Acme"), ("FOUNDING", "founded")]
    assert linked(document) == [("Acme", "Ada Smith"), ("founded", "Ada Smith"), ("founded", "Acme")]
    assert document.meta["sentences"] == [[0, len(document.text)]]
    assert dropped == {"annotations of the layer Note"}


def test_conll_2003() -> None:
    (first, second), _ = load("conll2003.conll", Label("PER"), Label("LOC"), Label("ORG"), Label("MISC"))
    assert first.text == "EU rejects German call to boycott British lamb . Peter Blackburn"
    assert marked(first) == [("ORG", "EU"), ("MISC", "German"), ("MISC", "British"), ("PER", "Peter Blackburn")]
    assert marked(second) == [("LOC", "BRUSSELS"), ("LOC", "LONDON"), ("LOC", "Germany")]  # a span ends with its sentence


CONLLU = """# newdoc id = d1
# text = Gunmen struck Baidoa.
1\tGunmen\tB-PER
2\tstruck\tO
3\tBaidoa\tB-LOC
4\t.\tO

# text = They didn't hit Baidoa.
1\tThey\tO
2-3\tdidn't\tO
2\tdid\tO
3\tn't\tO
4\thit\tO
4.1\tit\tO
5\tBaidoa\tB-LOC
6\t.\tO

"""


def test_conll_u_of_several_sentences(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text(CONLLU)
    schema = Schema("sample", (Label("PER"), Label("LOC")))
    (document,) = collect(get("conll").read(tmp_path / "a.conll", schema), schema)
    assert document.text == "Gunmen struck Baidoa. They didn't hit Baidoa."
    assert marked(document) == [("PER", "Gunmen"), ("LOC", "Baidoa"), ("LOC", "Baidoa")]
    (tmp_path / "a.conll").write_text("1994\tCD\tB-LOC\n1995\tCD\tO\n")  # words, and no numbers of words
    assert collect(get("conll").read(tmp_path / "a.conll", schema), schema)[0].text == "1994 1995"


def test_conll_u_with_other_comments_and_sentences_of_one_word(tmp_path: Path) -> None:
    schema = Schema("sample", (Label("PER"), Label("LOC")))
    text = '# newpar id = p1\n# text = "No comment."\n# speaker = A B of M-23\n1\t"\tO\n2\tNo\tO\n3\tcomment\tO\n4\t.\tO\n5\t"\tO\n\n1\tBaidoa\tB-LOC\n\n'
    (tmp_path / "a.conll").write_text(text)
    first, second = collect(get("conll").read(tmp_path / "a.conll", schema), schema)
    assert first.text == '"No comment."'
    assert (second.text, marked(second)) == ("Baidoa", [("LOC", "Baidoa")])
    (tmp_path / "a.conll").write_text("1 CD B-LOC\n# O B-LOC\n")  # words
    assert collect(get("conll").read(tmp_path / "a.conll", schema), schema)[0].text == "1 #"
    (tmp_path / "a.conll").write_text("#Gaza B-LOC NNP\nfell O VBD\n")
    assert marked(collect(get("conll").read(tmp_path / "a.conll", schema), schema)[0]) == [("LOC", "#Gaza")]
    odd = Schema("odd", (Label("PER"), Label("E-MAIL")))
    get("conll").write(tmp_path / "a.conll", [first], odd)
    assert collect(get("conll").read(tmp_path / "a.conll", odd), odd)[0].text == first.text


def test_tags_of_other_schemes_are_read_or_told(tmp_path: Path) -> None:
    schema = Schema("sample", (Label("PER"), Label("LOC")))
    path = tmp_path / "a.conll"
    path.write_text("In O\nNew B-LOC\nYork M-LOC\nCity E-LOC\nfire O\n")
    (document,) = collect(get("conll").read(path, schema), schema)
    assert marked(document) == [("LOC", "New York City")]
    for tag in ("0", "LOC"):
        path.write_text(f"In O\nBaidoa B-LOC\nfire {tag}\n")
        (record,) = get("conll").read(path, schema)
        assert record.problems == (f"line 3: {tag} is no tag like O, B-PER or I-PER",)


@pytest.mark.parametrize(("text", "end", "words"), [("a  bus burned", 6, "a bus"), ("a bus\r\nstop burned", 11, "a bus\\n\\nstop"), ("a\nbus", 5, "a\\nbus")])
def test_words_as_label_studio_writes_them(tmp_path: Path, text: str, end: int, words: str) -> None:
    value = {"start": 0, "end": end, "text": words, "labels": ["TARGET"]}
    region = {"id": "r", "type": "labels", "from_name": "label", "to_name": "text", "value": value}
    (tmp_path / "a.json").write_text(json.dumps([{"id": 1, "data": {"text": text}, "annotations": [{"id": 1, "result": [region]}]}]))
    (document,) = collect(get("label-studio").read(tmp_path / "a.json", CONFLICT), CONFLICT)
    assert marked(document) == [("TARGET", text[:end])]


def test_attributes_that_a_correction_in_doccano_loses_are_told(tmp_path: Path) -> None:
    text = "Two soldiers died."
    document = Document(text, (Span("T1", "CASUALTY", 0, 12, text[:12], {"outcome": "killed", "count": "2"}),), id="r1")
    path = tmp_path / "a.jsonl"
    get("doccano").write(path, [document], CONFLICT)
    (same,) = get("doccano").read(path, CONFLICT)
    assert (same.dropped, collect([same], CONFLICT)) == ((), [document])
    example = json.loads(path.read_text())
    example["entities"][0]["start_offset"] = 4
    path.write_text(json.dumps(example) + "\n")
    (moved,) = get("doccano").read(path, CONFLICT)
    assert moved.dropped == ("attributes and scores of entities that were moved, relabelled or deleted",)


def test_other_columns_of_a_dataset_are_fields_or_told(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = {"id": "a", "text": "raid", "spans": [], "links": [], "attacks": ["a view"], "year": 1999, "tags": ["x"], "note": None, "day": date(1999, 1, 2)}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "in.parquet")
    (record,) = get("datasets").read(tmp_path / "in.parquet", CONFLICT)
    assert record.data == {"id": "a", "text": "raid", "spans": [], "links": [], "year": 1999, "tags": ["x"]}
    assert record.dropped == ("the column 'day'",)


def test_other_keys_of_a_task_are_fields(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "raid", "url": "u", "meta": {"source": "s"}, "_input_hash": 1, "tokens": [], "spans": []}')
    (document,) = collect(get("prodigy").read(tmp_path / "in.jsonl", CONFLICT), CONFLICT)
    assert document.meta == {"url": "u", "source": "s"}


@pytest.mark.parametrize("name", ["in", "in.parquet"])
def test_labels_of_a_dataset_are_read_by_its_own_order(tmp_path: Path, name: str) -> None:
    pytest.importorskip("datasets")
    text = "Gunmen struck Baidoa."
    document = Document(text, (Span("T1", "LOCATION", 14, 20, text[14:20]),), id="r1")
    get("datasets").write(tmp_path / name, [document], Schema("a", (Label("TIME"), Label("LOCATION"))))
    other = Schema("b", (Label("LOCATION"), Label("PLACE"), Label("TIME")))
    assert collect(get("datasets").read(tmp_path / name, other), other) == [document]


def test_guideline_lines() -> None:
    (first, second), _ = load("guideline.lines")
    assert first.attacks[0].attackers[0].text == "The air force"
    assert [str(s.count) for s in first.labelled("CASUALTY")] == [">=12", "3"]
    assert [s.subset for s in first.labelled("CASUALTY")] == [False, True]
    assert [s.text for s in first.claims[0].attacks] == ["airstrikes"]
    assert second.spans == ()
    assert first.meta["source"] == "written for the tests"


def test_label_studio_configuration_follows_the_schema() -> None:
    root = ElementTree.fromstring(labeling_config(CONFLICT))
    assert [label.get("value") for label in root.iter("Label")] == list(CONFLICT.names)
    assert {relation.get("value") for relation in root.iter("Relation")} == {name for label in CONFLICT.labels for name in label.arguments}
    asked = {element.get("name"): element.get("whenLabelValue") for tag in ("Choices", "TextArea") for element in root.iter(tag)}
    assert asked == {f"{label.name}_{a.name}": label.name for label in CONFLICT.labels for a in label.attributes}
    odd = Schema("odd", (Label('<a&"b'),))
    assert [label.get("value") for label in ElementTree.fromstring(labeling_config(odd)).iter("Label")] == ['<a&"b']


def test_brat_configuration_follows_the_schema() -> None:
    text = configuration(CONFLICT)
    assert "TIME\tArg1:ATTACK, Arg2:TIME" in text
    assert "ATTACK\tArg1:CLAIM, Arg2:ATTACK" in text
    assert "status\tArg:ATTACK, Value:actual|other" in text
    assert "subset\tArg:CASUALTY\n" in text


def test_formats_are_guessed() -> None:
    guesses = {"labelstudio.json": "label-studio", "prodigy.jsonl": "prodigy", "doccano.jsonl": "doccano", "brat": "brat", "inception": "uima"}
    assert {name: guess_input(DATA / name).name for name in guesses} == guesses
    assert get("jsonl").name == "jsonl"
