"""The authored corpus as it is shipped: valid, split cleanly, and as rich as it was written to be."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from corpus_bars import bars
from corpus_card import with_counts
from corpus_counts import Commonest, CorpusError, Statistics, commonest, links_across, measure
from corpus_overlap import Overlap, grams, overlaps
from corpus_statistics import CARD, FIRST, FOLDER, SECOND, SPLITS, main, read_corpus, read_statistics
from hypothesis import given
from hypothesis import strategies as st
from leaks import leaks
from typer.testing import CliRunner

from conflict_nlp.document import Document, Link, Span, document_problems
from conflict_nlp.schema import CONFLICT

Lines = dict[str, list[dict[str, Any]]]
MORE = "more.jsonl"
FILES = [*(f"{name}.jsonl" for name in SPLITS), FIRST, SECOND, MORE]


@pytest.fixture(scope="module")
def lines() -> Lines:
    return {file: [json.loads(line) for line in (FOLDER / file).read_text(encoding="utf-8").split("\n") if line] for file in FILES}


@pytest.fixture(scope="module")
def statistics() -> Statistics:
    return read_statistics()


# the shipped files


def test_the_bars_hold(statistics: Statistics) -> None:
    assert [bar for bar in bars(statistics) if not bar.holds] == []


@pytest.mark.parametrize("file", FILES)
def test_every_document_is_valid(lines: Lines, file: str) -> None:
    assert lines[file]
    assert [f"{d['id']}: {p}" for d in lines[file] for p in document_problems(d)] == []


@pytest.mark.parametrize("file", FILES)
def test_every_attribute_is_given(lines: Lines, file: str) -> None:
    lacking = [(d["id"], s["id"], a.name) for d in lines[file] for s in d["spans"] for a in CONFLICT[s["label"]].attributes if a.name not in s]
    assert lacking == []


@pytest.mark.parametrize("file", FILES)
def test_every_argument_has_an_anchor(lines: Lines, file: str) -> None:
    linked = {(d["id"], link["argument"]) for d in lines[file] for link in d["links"]}
    assert [(d["id"], s["id"]) for d in lines[file] for s in d["spans"] if s["label"] not in ("ATTACK", "CLAIM") and (d["id"], s["id"]) not in linked] == []


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_marked_or_linked_twice(lines: Lines, file: str) -> None:
    links = Counter((d["id"], link["anchor"], link["argument"]) for d in lines[file] for link in d["links"])
    # one victim with two outcomes is two spans
    spans = Counter((d["id"], s["label"], s["start"], s["end"], s.get("outcome")) for d in lines[file] for s in d["spans"])
    assert [item for counts in (links, spans) for item, number in counts.items() if number > 1] == []


@pytest.mark.parametrize("file", FILES)
def test_sentences_part_the_text_and_hold_the_spans(lines: Lines, file: str) -> None:
    for d in lines[file]:
        ends = [0, *(end for _, end in d["sentences"])]
        gaps = [d["text"][before:start] for before, (start, _) in zip(ends, d["sentences"], strict=False)]
        assert gaps[0] == "", d["id"]
        assert set(gaps[1:]) <= {" ", "\n"}, d["id"]
        assert ends[-1] == len(d["text"]), d["id"]
        assert [s["id"] for s in d["spans"] if not any(a <= s["start"] and s["end"] <= b for a, b in d["sentences"])] == [], d["id"]


@pytest.mark.parametrize("file", FILES)
def test_ids_are_sorted(lines: Lines, file: str) -> None:
    ids = [d["id"] for d in lines[file]]
    assert ids == sorted(ids)


def test_ids_are_unique_across_splits(lines: Lines) -> None:
    counts = Counter(d["id"] for file in (*(f"{name}.jsonl" for name in SPLITS), MORE) for d in lines[file])
    assert [id for id, number in counts.items() if number > 1] == []


def test_no_text_is_there_twice(lines: Lines) -> None:
    counts = Counter(" ".join(re.findall(r"\w+", d["text"].casefold())) for file in (*(f"{name}.jsonl" for name in SPLITS), MORE) for d in lines[file])
    assert [text for text, number in counts.items() if number > 1] == []


def test_nothing_to_train_on_has_the_wording_of_what_is_held_out(lines: Lines) -> None:
    training = [Document(d["text"]) for file in ("train.jsonl", MORE) for d in lines[file]]
    assert leaks(training, [Document(d["text"]) for file in ("dev.jsonl", "test.jsonl") for d in lines[file]]) == {}


def test_test_and_dev_have_the_shares_of_the_whole(lines: Lines) -> None:
    def shares(field: str, *names: str) -> dict[str, float]:
        found = Counter(d[field] for name in names for d in lines[f"{name}.jsonl"])
        return {value: number / found.total() for value, number in found.items()}

    for field in ("theme", "register"):
        whole = shares(field, *SPLITS)
        for name in ("dev", "test"):
            number = len(lines[f"{name}.jsonl"])
            # to within one passage
            assert shares(field, name) == pytest.approx(whole, abs=1 / number)


@pytest.mark.parametrize("file", [FIRST, SECOND])
def test_80_passages_were_annotated_twice_with_the_same_texts(lines: Lines, file: str) -> None:
    corpus = {d["id"]: d for name in SPLITS for d in lines[f"{name}.jsonl"]}
    assert len({d["id"] for d in lines[file]}) == 80
    assert [d["id"] for d in lines[file] if any(d[key] != corpus[d["id"]][key] for key in ("text", "sentences", "theme", "register"))] == []


def test_the_two_annotations_agree_as_well_as_was_asked(statistics: Statistics) -> None:
    assert statistics.agreement.scores["span_exact_f1"] >= 88
    assert statistics.agreement.scores["link_overlap_f1"] >= 88


def test_the_card_has_the_counts_of_the_files(statistics: Statistics) -> None:
    card = (FOLDER / CARD).read_text(encoding="utf-8")
    assert with_counts(card, statistics) == card, "run training/corpus_statistics.py --card"


def test_the_card_names_licence_and_files() -> None:
    card = (FOLDER / CARD).read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["license"] == "cc-by-4.0"
    assert [f["path"] for f in head["configs"][0]["data_files"]] == FILES[:3]


# the script


CHANGES: list[tuple[str, Callable[[Statistics], Statistics]]] = [
    ("passages of 40 to 200 words", lambda s: replace(s, lengths=replace(s.lengths, proper=599))),
    ("passages in test", lambda s: replace(s, splits=s.splits + Counter(test=1))),
    ("theme negative", lambda s: replace(s, themes=Counter(strike=30, insurgency=20, sovereignty=25, civilians=10, negative=12))),
    ("themes beside these", lambda s: replace(s, themes=s.themes + Counter(sport=1))),
    ("sovereignty with an attack", lambda s: replace(s, sovereignty_with_attack=s.sovereignty_with_attack // 2)),
    ("ATTACK", lambda s: replace(s, labels=Counter({**s.labels, "ATTACK": 1499}))),
    ("ATTACK that are other", lambda s: replace(s, statuses=Counter(other=s.labels["ATTACK"] // 5 - 1))),
    ("CASUALTY", lambda s: replace(s, labels=Counter({**s.labels, "CASUALTY": 899}))),
    ("CASUALTY displaced", lambda s: replace(s, outcomes=Counter({**s.outcomes, "displaced": 39}))),
    ("CASUALTY that are a subset", lambda s: replace(s, subsets=119)),
    ("CLAIM", lambda s: replace(s, labels=Counter({**s.labels, "CLAIM": 349}))),
    ("CLAIM recognition", lambda s: replace(s, kinds=Counter({**s.kinds, "recognition": 59}))),
    ("CLAIM linked to an ATTACK", lambda s: replace(s, claims_with_attack=149)),
    ("links across a sentence boundary", lambda s: replace(s, links_across=249)),
    ("commonest ATTACKER", lambda s: replace(s, attacker=Commonest("the army", 31, 1000))),
    ("commonest LOCATION", lambda s: replace(s, location=Commonest("kyiv", 31, 1000))),
    ("commonest opening of three words", lambda s: replace(s, opening=Commonest("on monday the", 31, 1000))),
    ("most 5-grams in common of two passages", lambda s: replace(s, overlap=Overlap(0.26, "a-1", "a-2"))),
]


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=[name for name, _ in CHANGES])
def test_every_bar_can_fail(statistics: Statistics, name: str, change: Callable[[Statistics], Statistics]) -> None:
    assert name in [bar.name for bar in bars(change(statistics)) if not bar.holds]


@given(st.lists(st.text("ab ", min_size=8, max_size=60), min_size=2, max_size=6))
def test_the_index_finds_what_comparing_all_pairs_finds(texts: list[str]) -> None:
    documents = [Document(text, id=f"x-{n}") for n, text in enumerate(texts)]
    found = {(p.first, p.second): p.share for p in overlaps(documents)}
    for i, a in enumerate(texts):
        for j, b in enumerate(texts[i + 1 :], i + 1):
            common = len(grams(a) & grams(b))
            expected = common / min(len(grams(a)), len(grams(b))) if common else 0.0
            assert found.get((f"x-{i}", f"x-{j}"), 0.0) == expected


def test_overlap_is_of_the_shorter_passage_without_case_and_punctuation() -> None:
    long, short = Document("One two three four five six seven eight nine.", id="l"), Document("“two, three – four FIVE six” ten", id="s")
    assert overlaps([long, short]) == [Overlap(0.5, "l", "s")]


def test_links_across_sentences() -> None:
    spans = (Span("T1", "ATTACK", 0, 4, "Raid"), Span("T2", "TIME", 5, 10, "today"), Span("T3", "CASUALTY", 12, 17, "Three"))
    document = Document("Raid today. Three died.", spans, (Link("T1", "T2"), Link("T1", "T3")), "x", {"sentences": [[0, 11], [12, 23]]})
    assert links_across(document) == 1


def test_commonest() -> None:
    assert commonest(["The army", "the Army", "rebels", "police"]) == Commonest("the army", 2, 4)
    assert commonest([]).share == 0.0


def test_a_second_annotation_of_a_passage_that_is_not_there_is_refused() -> None:
    splits = {"test": [Document("Calm.", id="a", meta={"theme": "negative", "register": "wire", "sentences": [[0, 5]]})]}
    with pytest.raises(CorpusError, match="lacks b of the second annotation"):
        measure(splits, [Document("Calm.", id="b")], [Document("Calm.", id="b")])


def corpus_copy(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Path:
    """The shipped files with the passages of test changed, or dropped."""
    for file in FILES:
        text = (FOLDER / file).read_text(encoding="utf-8")
        if file == "test.jsonl":
            kept = [change(json.loads(line)) for line in text.splitlines()]
            text = "".join(json.dumps(d) + "\n" for d in kept if d is not None)
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_check_exits_with_0_on_the_shipped_files_and_with_1_where_a_bar_fails(tmp_path: Path) -> None:
    assert run("--check")[0] == 0
    drawn = {d["id"] for d in map(json.loads, (FOLDER / SECOND).read_text(encoding="utf-8").splitlines())}
    dropped = next(d.id for d in read_corpus(FOLDER)["test"] if d.id not in drawn)
    folder = str(corpus_copy(tmp_path, lambda d: None if d["id"] == dropped else d))
    code, output = run(folder, "--check")
    assert code == 1
    assert "fails" in output
    assert run(folder)[0] == 0


def test_a_passage_without_theme_is_named(tmp_path: Path) -> None:
    folder = corpus_copy(tmp_path, lambda d: {k: v for k, v in d.items() if k != "theme"})
    code, output = run(str(folder))
    assert code == 2
    assert "test.jsonl: " in output
    assert "has no theme" in output


def test_the_card_of_another_folder_is_written_once(tmp_path: Path, statistics: Statistics) -> None:
    folder = corpus_copy(tmp_path, lambda d: d)
    card = folder / CARD
    card.write_text("no place", encoding="utf-8")
    assert run(str(folder), "--card")[0] == 2
    assert card.read_text(encoding="utf-8") == "no place"
    card.write_text((FOLDER / CARD).read_text(encoding="utf-8").replace(f"passages | {statistics.passages} ", "passages | 1 "), encoding="utf-8")
    assert run(str(folder), "--card")[0] == 0
    assert card.read_text(encoding="utf-8") == with_counts((FOLDER / CARD).read_text(encoding="utf-8"), statistics)
