from __future__ import annotations

import json
import random
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import typer
from evaluation_cases import document, span
from rich.console import Console
from typer.testing import CliRunner

import conflict_nlp
from conflict_nlp.document import Document, Span
from conflict_nlp.evaluation.agreement import agreement, kappa
from conflict_nlp.evaluation.alignment import align
from conflict_nlp.evaluation.bootstrap import Interval, compare, intervals
from conflict_nlp.evaluation.calibration import Judged, link_calibration, reliability, span_calibration
from conflict_nlp.evaluation.command import ceaf, evaluate
from conflict_nlp.evaluation.measures import Measure, Statistics
from conflict_nlp.evaluation.report import Settings, report
from conflict_nlp.evaluation.slices import SliceError, slices
from conflict_nlp.evaluation.summary import scores, statistics
from conflict_nlp.evaluation.tables import render
from conflict_nlp.formats.jsonl import write_documents
from conflict_nlp.schema import CONFLICT, Attribute, Label, Schema

WORDS = ["Gunmen", "shot", "two", "officers", "in", "Mosul", "on", "Saturday"]
STARTS = [sum(len(w) + 1 for w in WORDS[:n]) for n in range(len(WORDS))]


def sample(number: int, quality: float, seed: int) -> list[Document]:
    """Documents with one TIME a word, of which a share is found."""
    source = random.Random(seed)
    text = " ".join(WORDS)
    words = [Span(f"T{n}", "TIME", s, s + len(w), w, score=quality) for n, (s, w) in enumerate(zip(STARTS, WORDS, strict=True))]
    return [Document(text, tuple(w for w in words if source.random() < quality), (), f"d{n}", {"source": "ab"[n % 2]}) for n in range(number)]


def test_intervals_agree_with_resampling_the_documents_themselves() -> None:
    gold, predicted = sample(30, 1, 0), sample(30, 0.6, 1)
    found = intervals(statistics(align(gold, predicted)), resamples=2_000)["span_exact_f1"]
    source = random.Random(0)
    drawn = [source.choices(range(30), k=30) for _ in range(250)]
    plain = [scores([replace(gold[n], id=None) for n in d], [replace(predicted[n], id=None) for n in d])["span_exact_f1"] for d in drawn]
    assert (found.low, found.high) == pytest.approx(np.percentile(plain, [2.5, 97.5]), abs=1.2)
    assert found.low < scores(gold, predicted)["span_exact_f1"] < found.high


def test_paired_test_tells_a_better_system_from_an_equal_one() -> None:
    gold, good, equal, bad = sample(40, 1, 0), sample(40, 0.8, 1), sample(40, 0.8, 2), sample(40, 0.5, 3)
    counted = [statistics(align(gold, p)) for p in (good, equal, bad)]
    better, same, itself = (compare(counted[0], other)["span_exact_f1"] for other in (counted[2], counted[1], counted[0]))
    assert better.p < 0.01
    assert better.interval.low > 0
    assert better.value == pytest.approx(scores(gold, good)["span_exact_f1"] - scores(gold, bad)["span_exact_f1"])
    assert same.p > 0.05
    assert (itself.value, itself.p) == (0, 1)


def test_paired_test_is_at_its_level_under_the_null() -> None:
    generator, rejected = np.random.default_rng(0), 0
    for trial in range(60):
        sides = []
        for _ in range(2):
            hits = generator.binomial(10, 0.6, size=60).astype(float)
            sides.append(Statistics((Measure("x"),), np.stack([hits, np.full(60, 10.0), hits, np.full(60, 10.0)], axis=-1)[:, None]))
        rejected += compare(*sides, resamples=200, seed=trial)["x_f1"].p < 0.05
    assert rejected <= 9


def test_a_label_that_a_resample_lacks_says_nothing_in_it() -> None:
    text = "Gunmen struck."
    gold = [Document(text, (Span("T1", "ATTACKER", 0, 6, "Gunmen"),), id="a"), *(Document(text, id=f"d{n}") for n in range(9))]
    counted = statistics(align(gold, [replace(document, spans=()) for document in gold]))
    assert intervals(counted)["span_exact_f1_ATTACKER"] == Interval(0, 0)  # a third of the resamples lack it
    perfect = statistics(align(gold, gold))
    assert intervals(perfect)["span_exact_f1_ATTACKER"] == Interval(100, 100)
    assert compare(perfect, counted)["span_exact_f1_ATTACKER"].interval == Interval(100, 100)
    nothing = statistics(align(gold[1:], gold[1:]))
    assert all(interval == Interval(100, 100) for name, interval in intervals(nothing).items() if name.endswith("_f1"))
    assert {(d.value, d.interval) for name, d in compare(nothing, nothing).items() if name.endswith("_f1")} == {(0, Interval(0, 0))}


def test_bootstrap_is_reproducible_and_refuses_nothing() -> None:
    counted = statistics(align(sample(5, 1, 0), sample(5, 0.5, 1)))
    assert intervals(counted, seed=3) == intervals(counted, seed=3)
    with pytest.raises(ValueError, match="no documents"):
        intervals(statistics([]))
    with pytest.raises(ValueError, match="same ones"):
        compare(counted, statistics(align(sample(4, 1, 0), sample(4, 0.5, 1))))


def test_slices() -> None:
    gold = [document(source="b"), document(source="a"), document(), document(text="word " * 60)]
    assert [(s.value, s.documents) for s in slices(gold, "source")] == [("(none)", (2, 3)), ("a", (1,)), ("b", (0,))]
    assert [(s.value, s.documents) for s in slices(gold, "length")] == [("0 to 49 words", (0, 1, 2)), ("50 to 99 words", (3,))]
    numbered = [document(severity=value) for value in ("10", "9", "low", "2.5")]
    assert [s.value for s in slices(numbered, "severity")] == ["2.5", "9", "10", "low"]
    with pytest.raises(SliceError, match="no gold document has a field 'year': slice by one of length, source"):
        slices(gold, "year")
    with pytest.raises(SliceError, match="60 values"):
        slices([document(url=str(n)) for n in range(60)], "url")


def test_calibration_by_hand() -> None:
    table = reliability([Judged(0.95, True), Judged(0.95, True), Judged(0.95, False), Judged(0.25, False), Judged(1.0, True)])
    assert [(b.low, b.number, round(b.accuracy, 2)) for b in table.bins] == [(0.2, 1, 0), (0.9, 4, 0.75)]
    assert table.error == pytest.approx(100 * (1 * 0.25 + 4 * (0.9625 - 0.75)) / 5)
    with pytest.raises(ValueError, match=r"3\.5 is no probability"):
        reliability([Judged(3.5, True)])


def test_calibration_over_spans_and_links() -> None:
    gold = document(span("a", "ATTACK", 7, 18), span("t", "TARGET", 22, 30), links=(("a", "t"),))
    predicted = replace(document(span("a", "ATTACK", 7, 18, 0.9), span("t", "TARGET", 22, 29, 0.5)), links=gold.links)
    alignments = align([gold], [predicted])
    assert [(b.score, b.accuracy) for b in span_calibration(alignments).bins] == [(0.5, 0), (0.9, 1)]
    assert link_calibration(alignments).number == 0


def test_a_score_too_large_for_a_float_is_no_probability() -> None:
    predicted = [document(span("a", "ATTACK", 7, 18, 10**400))]
    with pytest.raises(ValueError, match="no probability"):
        span_calibration(align([document()], predicted))
    assert "no probability" in report([document()], predicted, settings=Settings(resamples=0)).note


def test_agreement_of_annotators() -> None:
    first = [document(span("1", "ATTACK", 7, 18, status="actual"), span("2", "ATTACK", 96, 107, status="actual"))]
    second = [document(span("1", "ATTACK", 7, 18, status="actual"), span("2", "ATTACK", 103, 107, status="other"))]
    found = agreement(first, second)
    assert (found["span_exact_f1"], found["span_overlap_f1"], found["status_accuracy"], found["status_kappa"]) == (50, 100, 50, 0)
    assert agreement(second, first) == found
    # observed 35 of 50; expected 0.5 * 0.6 + 0.5 * 0.4
    assert kappa([("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15) == pytest.approx(0.4)


def test_report_has_everything_and_can_be_printed() -> None:
    gold, predicted, other = sample(10, 1, 0), sample(10, 0.8, 1), sample(10, 0.5, 2)
    made = report(gold, predicted, CONFLICT, other, Settings(slices=("source", "length"), resamples=50))
    data = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert data["scores"] == pytest.approx(scores(gold, predicted))
    low, high = data["intervals"]["span_exact_f1"]
    assert low <= data["scores"]["span_exact_f1"] <= high
    assert [(s["field"], s["value"], s["documents"]) for s in data["slices"]] == [("source", "a", 5), ("source", "b", 5), ("length", "0 to 49 words", 10)]
    assert data["slices"][0]["scores"] == pytest.approx(scores(gold[::2], predicted[::2]))
    assert data["comparison"]["differences"]["span_exact_f1"]["difference"] > 0
    assert data["calibration"]["spans"]["bins"][0]["number"] == sum(len(d.spans) for d in predicted)
    console = Console(width=160, record=True, file=StringIO())
    console.print(render(made))
    assert f"{data['scores']['span_exact_f1']:.1f}" in console.export_text()


def test_names_of_a_schema_are_no_markup() -> None:
    schema = Schema("[red]", (Label("EVENT", attributes=(Attribute("[b]", "flag"),)),))
    console = Console(width=160, record=True, file=StringIO())
    console.print(render(report([document()], [document()], schema, settings=Settings(resamples=0))))
    printed = console.export_text()
    assert "schema [red]" in printed
    assert "│ [b] " in printed


def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(evaluate)
    made.command()(ceaf)
    return made


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app(), [str(a) for a in arguments])
    return result.exit_code, result.output


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, documents in (("gold", sample(8, 1, 0)), ("a", sample(8, 0.8, 1)), ("b", sample(8, 0.5, 2)), ("short", sample(7, 0.5, 2))):
        write_documents(tmp_path / f"{name}.jsonl", documents)
    return tmp_path


def test_command(files: Path) -> None:
    options = ["--json", files / "r.json", "--errors", files / "e.html", "--compare", files / "b.jsonl", "--slice", "source", "--resamples", "50"]
    code, output = run("evaluate", files / "gold.jsonl", files / "a.jsonl", *options)
    assert code == 0, output
    assert "span exact" in output
    assert json.loads((files / "r.json").read_text())["documents"] == 8
    assert "<article" in (files / "e.html").read_text()


def test_command_with_a_model(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Model:
        schema = CONFLICT

        def pipe(self, texts: list[str]) -> list[Document]:
            return [replace(d, id=None) for d, _ in zip(sample(8, 1, 0), texts, strict=True)]

    monkeypatch.setattr(conflict_nlp, "load", lambda name, encoder=None, runtime="auto": {"M": Model()}[name], raising=False)
    code, output = run("evaluate", files / "gold.jsonl", "--model", "M", "--json", files / "r.json", "--resamples", "0")
    assert code == 0, output
    assert json.loads((files / "r.json").read_text())["scores"]["span_exact_f1"] == 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gold", "short"], "error: the predictions lack d7"),
        (["gold", "gold", "--slice", "year"], "error: no gold document has a field 'year'"),
        (["gold", "none"], "none.jsonl: cannot be read"),
        (["gold"], "give either a file of predictions or --model"),
        (["gold", "a", "--compare", "b", "--resamples", "0"], "it needs --resamples"),
    ],
)
def test_command_refuses_in_a_line(files: Path, arguments: list[str], message: str) -> None:
    known = ("gold", "a", "b", "short", "none")
    code, output = run("evaluate", *[files / f"{a}.jsonl" if a in known else a for a in arguments])
    assert code == 2
    assert message in output.replace("\n", " ")


def test_command_with_a_schema_in_yaml(files: Path) -> None:
    (files / "schema.yaml").write_text("name: times\nlabels:\n- name: TIME\n")
    options = ["--schema", files / "schema.yaml", "--json", files / "r.json", "--resamples", "0"]
    code, output = run("evaluate", files / "gold.jsonl", files / "a.jsonl", *options)
    assert code == 0, output
    assert json.loads((files / "r.json").read_text())["schema"] == "times"


def test_command_for_agreement(files: Path) -> None:
    code, output = run("evaluate", files / "gold.jsonl", files / "gold.jsonl", "--agreement")
    assert code == 0
    assert " 100.0  span_exact_f1\n" in output


def test_command_for_ceaf(tmp_path: Path) -> None:
    (tmp_path / "gold.json").write_text(json.dumps({"docid": "TST1-MUC3-0001", "extracts": {"Weapon": [[["bomb", 1]], [["gun", 9]]]}}))
    (tmp_path / "pred.json").write_text(json.dumps({"10001": {"pred_extracts": {"Weapon": [["a bomb"]]}}}))
    code, output = run("ceaf", tmp_path / "gold.json", tmp_path / "pred.json", "--json", tmp_path / "r.json")
    assert code == 0, output
    assert "micro average  P 100.00  R  50.00  F1  66.67" in output
    assert json.loads((tmp_path / "r.json").read_text())["ceaf_ree_recall_Weapon"] == 50
