"""Splitting: no group on two sides, every label with its share, the same for the same seed."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from conflict_nlp.document import Document, Span
from conflict_nlp.formats.jsonl import read_all, write_documents


def load_script() -> ModuleType:
    path = Path(__file__).parents[1] / "training" / "split.py"
    specification = importlib.util.spec_from_file_location("training_split", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["training_split"] = module
    specification.loader.exec_module(module)
    return module


script = load_script()
SHARES = {"train": 0.8, "dev": 0.2}


def corpus(groups: int, seed: int = 0) -> list[Document]:
    chance = random.Random(seed)
    found = []
    for group in range(groups):
        for passage in range(chance.randint(1, 4)):
            labels = chance.choices(["ATTACK", "TIME", "CLAIM", "TERRITORY"], [60, 30, 8, 2], k=chance.randint(0, 6))
            spans = tuple(Span(f"T{n}", label, 0, 1, "a") for n, label in enumerate(labels, 1))
            found.append(Document("a", spans, (), f"x-{group}-{passage}", {"report": f"r{group}"}))
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(0, 5), st.integers(0, 5))
def test_every_document_is_in_one_part_and_every_group_on_one_side(groups: int, corpus_seed: int, seed: int) -> None:
    documents = corpus(groups, corpus_seed)
    parts = script.split(documents, SHARES, seed=seed)
    assert sorted(d.id for part in parts for d in part.documents) == sorted(d.id for d in documents)
    sides = [{d.meta["report"] for d in part.documents} for part in parts]
    assert not sides[0] & sides[1]


def test_labels_have_their_shares() -> None:
    documents = corpus(300)
    parts = script.split(documents, {"train": 8, "dev": 1, "test": 1})
    everything = Counter(s.label for d in documents for s in d.spans)
    for part, share in zip(parts, (0.8, 0.1, 0.1), strict=True):
        found = Counter(s.label for d in part.documents for s in d.spans)
        for label, count in everything.items():
            assert found[label] / count == pytest.approx(share, abs=0.03), label
        assert len(part.documents) / len(documents) == pytest.approx(share, abs=0.03)
        assert all(part.have[label] == found[label] for label in everything)


def test_the_seed_decides() -> None:
    documents = corpus(60)

    def ids(seed: int) -> list[list[str | None]]:
        return [[d.id for d in part.documents] for part in script.split(documents, SHARES, seed=seed)]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_groups_are_the_id_without_its_last_number_or_a_field() -> None:
    documents = [Document("a", id=id, meta={"f": n % 2}) for n, id in enumerate(["a-1-1", "a-1-2", "a-2-1", "b-12", "b-13", "c_3_1990-22", "c_3_1990-23"])]
    assert list(script._groups(documents, None, script.GROUP_PATTERN)) == ["a-1", "a-2", "b-12", "b-13", "c_3_1990"]
    assert list(script._groups(documents, "f", "")) == ["0", "1"]
    assert list(script._groups(documents, None, "-.*")) == ["a", "b", "c_3_1990"]


@pytest.mark.parametrize(
    ("documents", "options", "problem"),
    [
        ([Document("a", id="x-1-1"), Document("a", id="x-1-2")], {}, "1 groups cannot fill 2 parts"),
        ([Document("a")], {}, "document 1 has no id"),
        ([Document("a", id="x")], {"group_field": "f"}, "document x has no field 'f'"),
        ([Document("a", id="x")], {"pattern": "("}, "no regular expression"),
    ],
)
def test_what_cannot_be_split(documents: list[Document], options: dict[str, str], problem: str) -> None:
    with pytest.raises(script.SplitError, match=problem):
        script.split(documents, SHARES, **options)


def run(*arguments: str | Path) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(script.main)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_the_script(tmp_path: Path) -> None:
    documents = corpus(50)
    write_documents(tmp_path / "all.jsonl", documents)
    code, output = run(tmp_path / "all.jsonl", "--output", tmp_path / "out", "--parts", "a=0.5,b=0.5", "--group-field", "report")
    assert code == 0, output
    assert "ATTACK" in output
    back = read_all([tmp_path / "out" / "a.jsonl", tmp_path / "out" / "b.jsonl"])
    assert sorted(d.id or "" for d in back) == sorted(d.id or "" for d in documents)
    for parts in ("a", "a=0", "a=1,a=1", "../a=1,b=1", "a=x", "a=0.5,b=0"):
        code, output = run(tmp_path / "all.jsonl", "--output", tmp_path / "no", "--parts", parts)
        assert code == 2, parts
        assert "train=0.8" in output
    assert not (tmp_path / "no").exists()


def test_gold_is_split_by_document(corpora: Path) -> None:
    documents = read_all([corpora / "gold" / "dev.jsonl"])
    parts = script.split(documents, SHARES)
    total = Counter(s.label for d in documents for s in d.spans)
    assert {label: part_share for label in total if abs((part_share := parts[1].have[label] / total[label]) - 0.2) > 0.05} == {}
