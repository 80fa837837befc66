import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
import simulate_annotation
import typer
from conftest import REPORT, WORDS
from hypothesis import given
from hypothesis import strategies as st
from test_training import CONFIG, document
from typer.testing import CliRunner

from conflict_nlp import cli
from conflict_nlp.decoding import WindowReading
from conflict_nlp.document import Document
from conflict_nlp.formats.labelstudio import read
from conflict_nlp.schema import CONFLICT
from conflict_nlp.suggestion import command
from conflict_nlp.suggestion.diversity import one_a_cluster, vectors
from conflict_nlp.suggestion.duplicates import Resemblance, shingles
from conflict_nlp.suggestion.selection import Shortlist, Suggestion, suggest
from conflict_nlp.suggestion.uncertainty import uncertainty


def text(seed, words=30):
    chance = random.Random(seed)
    return " ".join(chance.choices([w for w in WORDS if len(w) > 2], k=words))


def pool(number=24):
    return [Document(text(i), id=f"p{i}") for i in range(number)]


def reading(scores, links=None, owned=None):
    n = len(scores)
    places = np.arange(n)
    return WindowReading(
        starts=places,
        ends=places + 1,
        words=places,
        owned=np.ones(n, dtype=bool) if owned is None else np.array(owned),
        labels=np.zeros(n, dtype=np.int64),
        scores=np.array(scores, dtype=np.float32),
        links=np.zeros((n, n), dtype=np.float32) if links is None else np.array(links, dtype=np.float32),
        attributes=np.zeros((n, 1), dtype=np.float32),
        states=np.zeros((n, 1), dtype=np.float32),
    )


def test_uncertainty_is_the_entropy_of_spans_and_of_links_between_likely_spans():
    assert uncertainty([]) == 0
    assert uncertainty([reading([0.5, 0.5])]) == pytest.approx(2)
    assert uncertainty([reading([0.5]), reading([0.5])]) == pytest.approx(2)
    sure = [reading([0.999, 0.999], [[0, 0.999], [0, 0]])]
    unsure_link = [reading([0.999, 0.999], [[0, 0.5], [0, 0]])]
    link_of_unlikely_spans = [reading([0.06, 0.999], [[0, 0.5], [0, 0]])]
    assert uncertainty(sure) < 0.1
    assert uncertainty(unsure_link) - uncertainty(sure) == pytest.approx(1, abs=0.02)
    assert uncertainty(link_of_unlikely_spans) - uncertainty([reading([0.06, 0.999])]) == pytest.approx(0.06, abs=0.001)


def test_what_two_windows_see_counts_once():
    assert uncertainty([reading([0.5], owned=[True]), reading([0.5], owned=[False])]) == pytest.approx(1)


def test_the_uncertain_are_suggested_before_the_sure(tiny, monkeypatch):
    doubt = {document.text: number for number, document in enumerate(pool())}
    monkeypatch.setattr(tiny, "read", lambda texts: ((t, [reading([0.5] * doubt[t])]) for t in texts))
    monkeypatch.setattr(tiny, "assemble", lambda text, readings, thresholds: Document(text))
    found = suggest(tiny, pool(), 4, candidates=1)
    assert [s.document.id for s in found] == ["p23", "p22", "p21", "p20"]
    assert [s.uncertainty for s in found] == pytest.approx([23, 22, 21, 20])


def test_as_many_as_asked_for_labelled_and_the_same_for_a_seed(tiny):
    found = suggest(tiny, pool(), 5, seed=3)
    assert len({s.document.id for s in found}) == 5
    assert found == suggest(tiny, iter(pool()), 5, seed=3)
    for s in found:
        assert s.document.spans == tiny(s.document.text).spans
    assert [s.uncertainty for s in found] == sorted((s.uncertainty for s in found), reverse=True)
    assert len(suggest(tiny, [*pool(3), Document("  ", id="blank")], 50)) == 3


def test_near_duplicates_and_known_passages_are_left_out(tiny):
    original = text(0, 60)
    changed = re.sub(r"^\w+", "brigades", original.upper())
    passages = [Document(original, id="original"), Document(changed, id="changed"), *pool(6)[1:]]
    found = {s.document.id for s in suggest(tiny, passages, 7)}
    assert len(found & {"original", "changed"}) == 1
    assert found > {"p1", "p2", "p3", "p4", "p5"}
    assert {s.document.id for s in suggest(tiny, passages, 7, known=[original, text(1)])} == {"p2", "p3", "p4", "p5"}


def test_a_full_shortlist_keeps_the_most_uncertain_and_forgets_the_rest():
    shortlist = Shortlist(2)
    for number, value in enumerate([1.0, 3.0, 2.0, 0.5, 3.0]):
        shortlist.add(Suggestion(Document(text(number)), value))
    assert [s.document.text for s in shortlist.kept()] == [text(1), text(4)]
    shortlist.add(Suggestion(Document(text(1)), 9.0))  # the same text again, of which the model is less sure
    shortlist.add(Suggestion(Document(text(2)), 8.0))  # it was let go, so it resembles nothing
    assert [(s.document.text, s.uncertainty) for s in shortlist.kept()] == [(text(1), 9.0), (text(2), 8.0)]


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12).map(" ".join), max_size=8), st.lists(st.sampled_from("abcdefgh"), max_size=12))
def test_resemblance_is_jaccard_of_shingles(texts, words):
    index, mine = Resemblance(), shingles(" ".join(words))
    for number, other in enumerate([*texts, "no such words"]):
        index.add(number, shingles(other))
    index.remove(len(texts))
    similar = [n for n, other in enumerate(texts) if len(mine & shingles(other)) / len(mine | shingles(other)) >= 0.5]
    assert sorted(index.near(mine)) == similar


def test_one_of_each_cluster_is_taken_and_the_heaviest():
    places = np.array([[1, 0], [1, 0.01], [1, 0.02], [0, 1], [0.01, 1]], dtype=np.float32)
    assert one_a_cluster(places, np.array([9.0, 8.0, 7.0, 1.0, 2.0]), 2, seed=0) == [0, 4]
    assert one_a_cluster(places, np.zeros(5), 9, seed=0) == [0, 1, 2, 3, 4]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_equal_vectors_still_give_the_number_asked_for():
    assert one_a_cluster(np.ones((5, 2), dtype=np.float32), np.arange(5.0), 3, seed=0) == [4, 3, 2]


def test_vectors_do_not_depend_on_the_batch(tiny):
    texts = [text(i, words=10 + 20 * i) for i in range(6)]  # the longest take several windows
    together = vectors(tiny, [*texts, ""])
    assert np.allclose(np.linalg.norm(together[:6], axis=1), 1)
    assert not together[6].any()
    for one, row in zip(texts, together, strict=False):
        assert np.allclose(vectors(tiny, [one])[0], row, atol=1e-5)


@pytest.fixture
def pool_file(tmp_path):
    path = tmp_path / "pool.jsonl"
    data = [{"text": text(i), "source": "wire", "spans": "not looked at"} for i in range(9)]
    path.write_text("".join(json.dumps(line) + "\n" for line in [{"id": "first", "text": REPORT}, *data]))
    return path


def run(*arguments):
    return CliRunner().invoke(cli.app, ["suggest", *map(str, arguments)])


def test_the_command_writes_tasks_with_predictions(pool_file, model_folder):
    result = run(pool_file, "--number", "6", "--model", model_folder, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "6 of 10 passages" in result.output
    output = pool_file.with_name("pool.suggested.json")
    tasks = json.loads(output.read_text())
    assert all("annotations" not in task for task in tasks)
    assert any(task["predictions"][0]["result"] for task in tasks if "predictions" in task)
    documents = [record.document(CONFLICT) for record in read(output, CONFLICT)]
    assert len({d.id for d in documents}) == 6
    assert {d.id for d in documents} <= {"first", *(f"pool-{n}" for n in range(2, 11))}
    assert any(d.spans for d in documents)

    again = run(pool_file, "--known", output, "--model", model_folder, "--output", pool_file.with_name("more.jsonl"))
    assert "4 of 10 passages" in again.output
    assert "(jsonl)" in again.output
    more = [json.loads(line) for line in pool_file.with_name("more.jsonl").read_text().splitlines()]
    assert not {d["text"] for d in more} & {d.text for d in documents}


def test_what_an_annotator_rejected_is_known(tmp_path):
    tasks = [{"text": text, "answer": answer, "tokens": [], "spans": []} for text, answer in (("a raid", "reject"), ("b", "accept"))]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, tasks)))
    assert list(command._texts(tmp_path / "a.jsonl")) == ["a raid", "b"]
    skipped = {"id": 1, "data": {"text": "skipped"}, "annotations": [{"was_cancelled": True, "result": []}]}
    (tmp_path / "b.json").write_text(json.dumps([skipped]))
    assert list(command._texts(tmp_path / "b.json")) == ["skipped"]


@pytest.mark.parametrize(
    ("arguments", "content", "words"),
    [
        ([], '{"text": "a"}\n{"text": 5}', "pool.jsonl:2: text is not a string"),
        ([], "{", "pool.jsonl:1: not JSON"),
        ([], "", "nothing to suggest"),
        (["--to", "paper"], '{"text": "a"}', "no format 'paper'"),
        (["--to", "brat"], '{"text": "a"}', "brat needs an --output"),
        (["--to", "muc4", "--output", "x"], '{"text": "a"}', "only read"),
        (["--output", "POOL"], '{"text": "a"}', "is the pool"),
        (["--output", "no/folder/x.json"], '{"text": "a"}', "no such folder"),
        (["--known", "missing.jsonl"], '{"text": "a"}', "missing.jsonl"),
        (["--known", "/dev/null", "--output", "/dev/null", "--to", "jsonl"], '{"text": "a"}', "would be lost"),
        (["--known", "POOL"], '{"text": "a b c"}', "annotated already"),
    ],
)
def test_bad_input_is_one_line_that_names_it(tmp_path, model_folder, arguments, content, words):
    path = tmp_path / "pool.jsonl"
    path.write_text(content)
    result = run(path, "--model", model_folder, *(str(path) if a == "POOL" else a for a in arguments))
    assert isinstance(result.exception, ValueError)  # cli.main prints it
    assert words in str(result.exception).splitlines()[0]
    assert list(tmp_path.iterdir()) == [path]


def test_a_simulation_goes_on_where_it_was_stopped(tmp_path, encoder_folder, capsys):
    (tmp_path / "config.yaml").write_text(CONFIG.replace("epochs: 4, ", ""))
    words = [w for w in WORDS if len(w) > 3][:12]
    lines = [{**document(f"t{i}", w), "text": document(f"t{i}", w)["text"] + " " + text(i)} for i, w in enumerate(words)]
    for name, part in (("train", lines[:10]), ("dev", lines[10:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in part))
    output = tmp_path / "out"
    settings = {"config": tmp_path / "config.yaml", "train": tmp_path / "train.jsonl", "dev": tmp_path / "dev.jsonl", "output": output}
    settings |= {"encoder": str(encoder_folder), "sizes": "3,5", "budget": 6, "seeds": "1"}
    simulate_annotation.main(**settings)
    summary = json.loads((output / "summary.json").read_text())
    assert set(summary["random"]) == set(summary["suggested"]) == {"3", "5"}
    assert summary["random"]["5"]["spans"] == 10
    assert (output / "results.png").read_bytes().startswith(b"\x89PNG")
    rows = (output / "results.csv").read_text().splitlines(keepends=True)
    assert len(rows) == 5
    folders = {strategy: output / "seed-1" / f"{strategy}-5" / "chosen.json" for strategy in ("random", "suggested")}
    chosen = {strategy: json.loads(path.read_text()) for strategy, path in folders.items()}
    assert chosen["random"][:3] == chosen["suggested"][:3]
    assert all(len(set(numbers)) == 5 for numbers in chosen.values())

    (output / "results.csv").write_text("".join(rows[:-1]))  # as if stopped in the last round
    before = folders["random"].stat().st_mtime_ns
    capsys.readouterr()
    simulate_annotation.main(**settings)
    assert capsys.readouterr().out.count("seed 1, ") == 1
    assert folders["random"].stat().st_mtime_ns == before
    assert (output / "results.csv").read_text() == "".join(rows)
    assert json.loads(folders["suggested"].read_text()) == chosen["suggested"]
    with pytest.raises(typer.Exit):
        simulate_annotation.main(**{**settings, "budget": 7})
    assert "other settings" in capsys.readouterr().err


def test_a_simulation_needs_links(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(CONFIG + "schema: {name: tags, labels: [{name: ATTACK}]}\n")
    (tmp_path / "data.jsonl").write_text(json.dumps({"text": "", "spans": [], "links": []}))
    data = tmp_path / "data.jsonl"
    with pytest.raises(typer.Exit):
        simulate_annotation.main(tmp_path / "config.yaml", data, data, tmp_path / "out", sizes="1", budget=1, seeds="1")
    assert "has no arguments" in capsys.readouterr().err


@pytest.mark.parametrize("sizes", ["", "5,3", "3,99", "3,x", "0,3"])
def test_a_simulation_refuses_sizes_that_do_not_rise(tmp_path, sizes):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "data.jsonl").write_text(json.dumps(document("a")))
    data = Path(tmp_path / "data.jsonl")
    with pytest.raises(typer.Exit):
        simulate_annotation.main(tmp_path / "config.yaml", data, data, tmp_path / "out", sizes=sizes, budget=1, seeds="1")
    assert not (tmp_path / "out").exists()
