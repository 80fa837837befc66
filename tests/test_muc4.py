import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conflict_nlp.cli import app
from conflict_nlp.document import Document, Span
from conflict_nlp.encoding import Windower, window_labels
from conflict_nlp.entities import acronym, entities, head, same
from conflict_nlp.evaluation.ceaf import ceaf_ree
from conflict_nlp.evaluation.ceaf_files import read_gold, read_predictions
from conflict_nlp.evaluation.normalisation import normalise
from conflict_nlp.formats import FormatError
from conflict_nlp.formats.convert import convert_file
from conflict_nlp.formats.muc4 import MUC4, ROLES, texts
from conflict_nlp.formats.records import collect
from conflict_nlp.formats.registry import get, guess_input
from conflict_nlp.formats.schema_file import read_schema
from conflict_nlp.schema import CONFLICT

ROOT = Path(__file__).parents[1]
TEXT = (
    "terrorists of the red star front (rsf) threw a bomb at the las palmas bridge.  the terrorists also shot mayor juan rojas; "
    "rojas died.  an rsf\nspokesman said that the bridge was a target of antiterrorists."
)
TEMPLATES = [
    {
        "incident_type": "bombing",
        "PerpInd": [[["terrorists", TEXT.index("terrorists")]]],
        "PerpOrg": [[["red star front", TEXT.index("red star")], ["rsf", TEXT.index("rsf")]]],
        "Target": [[["las palmas bridge", TEXT.index("las palmas")], ["bridge", TEXT.index("bridge")]]],
        "Victim": [],
        "Weapon": [[["bomb", TEXT.index("bomb")]]],
    },
    {
        "incident_type": "attack",
        "PerpInd": [[["terrorists", TEXT.index("terrorists")], ["rsf spokesman", TEXT.index("rsf\nspokesman")]]],
        "PerpOrg": [],
        "Target": [],
        "Victim": [[["juan rojas", TEXT.index("juan")], ["rojas", TEXT.index("rojas")]]],
        "Weapon": [],
    },
]


def sample(**changes):
    return {"docid": "TST1-MUC3-0007", "doctext": TEXT, "templates": TEMPLATES, **changes}


def written(path, *documents):
    path.write_text("".join(json.dumps(d) + "\n" for d in documents))
    return path


@pytest.fixture
def file(tmp_path):
    return written(tmp_path / "sample.jsonl", sample(), {"docid": "TST1-MUC3-0008", "doctext": "nothing happened.", "templates": []})


def read(path):
    return collect(get("muc4").read(path, MUC4), MUC4)


def test_every_occurrence_of_a_mention_is_a_span_of_its_entity(file):
    first, second = read(file)
    assert (first.id, second.id, second.spans) == ("TST1-MUC3-0007", "TST1-MUC3-0008", ())
    found = {}
    for span in first.spans:
        found.setdefault((span.label, span.attributes["entity"]), []).append(span.text)
    by_label = {label: strings for (label, _), strings in found.items()}
    assert len(found) == len(by_label) == 5  # terrorists of both templates are one entity, and no label has a second
    assert by_label["PerpInd"] == ["terrorists", "terrorists", "rsf\nspokesman"]  # antiterrorists are other words
    assert by_label["PerpOrg"] == ["red star front", "rsf", "rsf"]
    assert by_label["Target"] == ["las palmas bridge", "bridge", "bridge"]
    assert by_label["Victim"] == ["juan rojas", "rojas", "rojas"]
    assert by_label["Weapon"] == ["bomb"]


def test_extracts_are_read_as_templates_are(file, tmp_path):
    extracts = {role: [e for t in TEMPLATES for e in t[role]] for role in ROLES}
    extracts["PerpInd"] = extracts["PerpInd"][1:]
    document = {"docid": "TST1-MUC3-0007", "doctext": TEXT, "extracts": extracts}
    (again,) = read(written(tmp_path / "extracts.jsonl", document))
    assert [(s.label, s.start, s.end) for s in again.spans] == [(s.label, s.start, s.end) for s in read(file)[0].spans]
    gold = read_gold(file)["10007"]
    assert {role: [set(e) for e in gold[role]] for role in ROLES} == {role: [{m for m, _ in e} for e in extracts[role]] for role in ROLES}


def test_the_file_is_recognised_and_converted(file, tmp_path):
    assert guess_input(file).name == "muc4"
    assert read_schema(ROOT / "configs" / "muc4.yaml") == MUC4
    convert_file(file, tmp_path / "native.jsonl", get("muc4"), get("jsonl"), MUC4)
    assert json.loads((tmp_path / "native.jsonl").read_text().splitlines()[0])["spans"][0]["text"] == "terrorists"
    with pytest.raises(FormatError, match=r"lacks PerpInd, PerpOrg, Target, Victim, Weapon: say --schema configs/muc4\.yaml"):
        list(get("muc4").read(file, CONFLICT))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"doctext": 3}, "no doctext"),
        ({"templates": None}, "extracts, an object, or templates"),
        ({"templates": [{"Victim": [["juan rojas", 3]]}]}, "Victim: a mention is a string with its offset, not 'juan rojas'"),
        ({"templates": [{"Victim": {}}]}, "Victim is a list of entities"),
        ({"templates": [{"Victim": [[["nobody", 3]]]}]}, "Victim: 'nobody' is not in the text"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, changes, words):
    path = written(tmp_path / "bad.jsonl", sample(docid="A"), sample(**changes))
    with pytest.raises(FormatError, match=words) as error:
        read(path)
    assert "bad.jsonl:2" in str(error.value)
    with pytest.raises(FormatError, match=r"bad.jsonl:1: a document has a docid and a doctext"):
        list(texts(written(path, {"docid": "A"})))


def test_gold_made_of_the_reader_scores_full(file):
    predicted = {}
    for document, key in zip(read(file), ("10007", "10008"), strict=True):
        predicted[key] = {role: [[e.name] for e in entities(document, MUC4) if e.label == role] for role in ROLES}
    assert ceaf_ree(read_gold(file), predicted).micro.f1 == 100


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("fmln", "farabundo marti national liberation front", True),
        ("eln", "army of national liberation", False),
        ("fpl", "farabundo marti national liberation front", False),
        ("guatemalan army", "army", True),
        ("armyworm", "army", False),
        ("peasants", "two peasants from morazan", True),
        ("bridge of las canas", "las canas", True),
        ("bridge", "embassy", False),
    ],
)
def test_strings_of_one_entity(one, other, alike):
    assert same(one, other) == same(other, one) == alike
    assert acronym("fmln", "farabundo marti national liberation front")


def test_heads():
    assert head("two individuals wearing military uniforms") == head("individual") == "individual"
    assert not same("armed men", "unknown men in a car")
    assert same("armed men", "unknown men in a car", same_head=True)


WORDS = st.lists(st.sampled_from(["the army", "army", "Army.", "guatemalan army", "fmln", "red star front", "rsf", "a", "bomb", "bombs"]), max_size=8)


def document_of(strings, clusters=None, label="Target"):
    text, spans = "", []
    for number, words in enumerate(strings):
        attributes = {"entity": clusters[number]} if clusters else {}
        spans.append(Span(f"T{number}", label, len(text), len(text) + len(words), words, attributes, round(0.3 + number / 20, 2)))
        text += words + " , "
    return Document(text, tuple(spans))


@given(WORDS, st.randoms(use_true_random=False))
def test_equal_strings_always_merge_and_the_order_of_spans_does_not_matter(strings, rng: random.Random):
    document = document_of(strings)
    found = entities(document, MUC4)
    normalised = [{normalise(s.text) for s in e.mentions} for e in found]
    assert sum(map(len, normalised)) == len(set().union(*normalised))  # no string is in two entities
    assert sorted(s.id for e in found for s in e.mentions) == sorted(s.id for s in document.spans if normalise(s.text))
    assert all(e.name in {s.text for s in e.mentions} for e in found)
    shuffled = list(document.spans)
    rng.shuffle(shuffled)
    assert entities(Document(document.text, tuple(shuffled)), MUC4) == found


def test_the_model_joins_what_the_words_do_not():
    assert len(entities(document_of(["gunmen", "two youths"]), MUC4)) == 2
    (entity,) = entities(document_of(["gunmen", "two youths"], ["e1", "e1"]), MUC4)
    assert [s.text for s in entity.mentions] == ["gunmen", "two youths"]


def test_what_stands_in_brackets_is_another_name():
    text = 'the "national liberation army" [eln] and the ejercito'
    spans = tuple(Span(w, "PerpOrg", text.index(w), text.index(w) + len(w), w) for w in ("national liberation army", "eln", "ejercito"))
    assert [[s.text for s in e.mentions] for e in entities(Document(text, spans), MUC4)] == [["national liberation army", "eln"], ["ejercito"]]


def test_the_name_of_an_entity_is_its_surest_string():
    assert entities(document_of(["the army", "guatemalan army", "army"]), MUC4)[0].name == "the army"  # twice, 0.3 + 0.4


@pytest.fixture(scope="module")
def model(encoder_folder, tokenizer, tmp_path_factory):
    """An untrained model of the MUC-4 schema that says yes often."""
    from conflict_nlp.modeling import ConflictModel

    torch.manual_seed(3)
    made = ConflictModel.from_encoder(str(encoder_folder), MUC4, span_size=32, pair_size=16, window=64, overlap=16, thresholds={"span": 0.4})
    with torch.no_grad():
        made.tagger.weight.mul_(20)
        made.tagger.bias.zero_()
    folder = tmp_path_factory.mktemp("muc4")
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def script(name, *arguments):
    return subprocess.run([sys.executable, ROOT / "training" / name, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_predictions_are_scored_and_thresholds_tuned(model, file, tmp_path):
    from typer.testing import CliRunner

    result = script("predict_muc4.py", model, file, tmp_path / "out.json")
    assert result.returncode == 0, result.stderr
    predicted = read_predictions(tmp_path / "out.json")
    assert set(predicted) == {"10007", "10008"}
    assert any(predicted["10007"].values())
    scored = CliRunner().invoke(app, ["ceaf", str(file), str(tmp_path / "out.json")])
    assert scored.exit_code == 0, scored.output
    assert "micro average" in scored.output
    result = script("tune_muc4.py", model, file)
    assert result.returncode == 0, result.stderr
    before, after = (float(x) for x in result.stdout.split(";")[0].removeprefix("CEAF-REE ").split(" -> "))
    assert after > before
    assert set(json.loads((model / "config.json").read_text())["thresholds"]["spans"]) == set(ROLES)


def test_a_model_of_another_schema_is_refused(model_folder, file, tmp_path):
    other = shutil.copytree(model_folder, tmp_path / "other")
    before = (other / "config.json").read_bytes()
    for name, arguments in [("predict_muc4.py", [file, tmp_path / "out.json"]), ("tune_muc4.py", [file])]:
        result = script(name, other, *arguments)
        assert result.returncode == 2
        assert result.stderr.strip().splitlines()[-1].startswith(f"error: {other} labels ATTACK")
    assert not (tmp_path / "out.json").exists()
    assert (other / "config.json").read_bytes() == before


def test_a_document_without_spans_under_a_schema_without_attributes_has_empty_labels(tokenizer):
    (window,) = Windower(tokenizer, 64, 16).windows("nothing happened.")
    labels = window_labels(window, Document("nothing happened."), MUC4)
    assert (labels.attributes.shape, labels.spans.shape) == ((0, 0), (0, 2))
