import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import REPORT
from distillation import Taught, overlapping, soft_cross_entropy
from examples import Example, LengthBatches, Pool
from lessons import Lessons
from settings import DistillationSettings
from teacher import Teacher

from conflict_nlp import load
from conflict_nlp.collation import collate
from conflict_nlp.encoding import Windower
from conflict_nlp.loading import load_pretrained
from conflict_nlp.modeling import ConflictModel
from conflict_nlp.proposal import Candidates

DISTILL = Path(__file__).parents[1] / "training" / "distill.py"
CONFIG = """
encoder: some/encoder
model: {span_size: 32, pair_size: 16, window: 64, overlap: 16}
distillation: {texts: 3, weight: 0.5}
training: {epochs: 2, batch_size: 2, encoder_lr: 1e-3, head_lr: 5e-3, precision: "no"}
"""


@pytest.fixture
def lesson(model_folder, tmp_path):
    """A teacher, the windows of a report, and a batch of them with the teacher's states."""
    model, tokenizer = load_pretrained(model_folder)
    windows = list(Windower(tokenizer, 64, 16).windows(REPORT))
    teacher = Teacher(model)
    states = teacher.read(windows, 0, True, tmp_path / "states.safetensors")
    return teacher, windows, {**collate(windows, 0), "taught": torch.nn.utils.rnn.pad_sequence(states, batch_first=True)}


def test_a_student_that_is_its_teacher_has_nothing_to_learn(lesson, model_folder):
    teacher, _, batch = lesson
    student, _ = load_pretrained(model_folder)
    output = Taught(student.eval(), teacher, 1.0)(**batch)
    output.loss.backward()
    largest = max(p.grad.abs().max() for p in student.parameters() if p.grad is not None)
    with torch.no_grad():
        student.tagger.bias.add_(torch.randn_like(student.tagger.bias))
        student.links.out.bias.add_(1.0)
        student.attributes.bias.add_(torch.randn_like(student.attributes.bias))
        student.clusters.pair.bias.add_(1.0)
    student.zero_grad()
    other = Taught(student, teacher, 1.0)(**batch)
    other.loss.backward()
    assert largest < 0.01 * max(p.grad.abs().max() for p in student.parameters() if p.grad is not None)  # what half precision leaves
    assert all(other.losses[name] > output.losses[name] for name in ("soft_tags", "soft_links", "soft_attributes", "soft_clusters"))


def test_learning_from_a_teacher_brings_a_student_nearer(lesson, encoder_folder):
    teacher, _, batch = lesson
    torch.manual_seed(2)
    student = ConflictModel.from_encoder(str(encoder_folder), span_size=32, pair_size=16, window=64, overlap=16, max_starts=40, head_dropout=0.0)
    taught = Taught(student, teacher, 1.0)
    optimizer = torch.optim.AdamW(student.parameters(), lr=3e-3)
    distances = []
    for _ in range(60):
        output = taught(**batch)
        wanted = teacher.lesson(batch["taught"], batch["word_mask"]).tag_logits.softmax(-1)
        distances.append((output.tag_logits.softmax(-1) - wanted).abs()[batch["word_mask"]].mean().item())
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    assert distances[-1] < 0.6 * distances[0]


def test_the_teacher_does_not_change_and_is_not_saved(lesson, model_folder):
    teacher, _, batch = lesson
    student, _ = load_pretrained(model_folder)
    taught = Taught(student, teacher, 1.0).train()
    taught(**batch).loss.backward()
    assert all(name.startswith("student.") for name in taught.state_dict())
    assert not teacher.model.training
    assert all(p.grad is None for p in teacher.model.parameters())


def test_states_are_read_once(lesson, tmp_path):
    teacher, windows, batch = lesson
    file = tmp_path / "again.safetensors"
    first = teacher.read(windows, 0, True, file)
    written = file.stat().st_mtime_ns
    second = teacher.read(windows, 0, True, file)
    assert file.stat().st_mtime_ns == written
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    with torch.no_grad():
        words = teacher.model.encode(batch["input_ids"], batch["attention_mask"], batch["word_tokens"])
    assert all(torch.allclose(a.float(), w[: len(a)], atol=0.02) for a, w in zip(first, words, strict=True))


def test_only_readings_of_one_label_overlap():
    spans = torch.tensor([[[0, 2], [2, 3], [4, 5], [2, 2], [0, 0]]])
    found = overlapping(Candidates(spans, torch.tensor([[0, 0, 0, 1, 0]]), torch.tensor([[True, True, True, True, False]])))
    assert found[0].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 2], [3, 3]]


def test_cross_entropy_is_least_where_both_agree():
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    assert soft_cross_entropy(logits, logits) < soft_cross_entropy(logits + torch.tensor([[0.5, 0.0, 0.0]]), logits)
    assert torch.allclose(soft_cross_entropy(logits, torch.tensor([[100.0, 0.0, 0.0]])), -logits.log_softmax(-1)[:, 0])


def test_texts_take_turns_and_never_share_a_batch_with_the_gold():
    batches = LengthBatches([5] * 30, 4, seed=1, pools=[Pool(range(10), 10), Pool(range(10, 30), 8)])
    seen = []
    for epoch in range(5):
        batches.epoch = epoch
        found = list(batches)
        assert len(found) == len(batches) == 5
        assert all(max(b) < 10 or min(b) >= 10 for b in found)
        assert sorted(i for b in found for i in b if i < 10) == list(range(10))
        seen += [i for b in found for i in b if i >= 10]
    assert sorted(seen) == sorted([*range(10, 30)] * 2)


def test_other_words_than_the_teachers_are_refused(model_folder, tmp_path):
    model, tokenizer = load_pretrained(model_folder)
    own, other = Windower(tokenizer, 64, 16), Windower(tokenizer, 40, 10)
    lessons = Lessons(Teacher(model), other, 0, [REPORT], DistillationSettings(), tmp_path / "states.safetensors")
    with pytest.raises(ValueError, match="cut texts into other words"):
        lessons.examples([Example(w, None) for w in own.windows(REPORT)], [REPORT], own, True)


def test_scored_candidates_are_those_of_the_student(lesson, model_folder):
    teacher, _, batch = lesson
    student, _ = load_pretrained(model_folder)
    output = Taught(student.eval(), teacher, 1.0)(**batch)
    scored = teacher.score(teacher.lesson(batch["taught"], batch["word_mask"]), batch["word_mask"], output.candidates)
    assert scored.links.shape == output.link_logits.shape


def distill(*arguments):
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    return subprocess.run([sys.executable, DISTILL, *map(str, arguments)], capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def files(tmp_path):
    start = REPORT.index("ambushed")
    spans = [{"id": "T1", "label": "ATTACK", "start": start, "end": start + 8, "text": "ambushed", "status": "actual", "incident": "i1"}]
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps({"id": f"g{i}", "text": REPORT, "spans": spans, "links": []}) + "\n" for i in range(3)))
    texts = [{"text": sentence + ".", "spans": [{"label": "OTHER"}]} for sentence in REPORT.split(". ")]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
    return [tmp_path / "config.yaml", "--train", tmp_path / "gold.jsonl", "--dev", tmp_path / "gold.jsonl", "--texts", tmp_path / "texts.jsonl"]


def test_a_distilled_model_is_a_model_as_any(files, model_folder, encoder_folder, tmp_path):
    other = tmp_path / "out" / "teacher-0123456789abcdef.safetensors"  # left by a run with another teacher
    other.parent.mkdir()
    other.write_bytes(b"other")
    result = distill(*files, "--teacher", model_folder, "--output", tmp_path / "out", "--encoder", encoder_folder)
    assert result.returncode == 0, result.stderr
    assert load(tmp_path / "out", device="cpu")(REPORT).text == REPORT
    assert list((tmp_path / "out").glob("teacher-*")) == [other]
    rows = list(csv.DictReader((tmp_path / "out" / "log.csv").open()))
    assert len(rows) == 2
    assert float(rows[1]["loss_soft_tags"]) < float(rows[0]["loss_soft_tags"])


def test_two_processes_learn_from_a_teacher(files, model_folder, encoder_folder, tmp_path):
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    more = ["--teacher", model_folder, "--output", tmp_path / "out", "--encoder", encoder_folder]
    result = subprocess.run([*launch, str(DISTILL), *map(str, [*files, *more])], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert load(tmp_path / "out", device="cpu")(REPORT).text == REPORT
    assert not list((tmp_path / "out").glob("teacher-*"))


def test_the_teacher_is_asked_about_some_texts_alone(files, model_folder, encoder_folder, tmp_path):
    files[0].write_text(CONFIG + "distillation: {texts: 1, pool: 2, documents: 2, annotated: false}\n")
    (tmp_path / "texts.jsonl").write_text((tmp_path / "texts.jsonl").read_text() + json.dumps({"text": REPORT}) + "\n")
    result = distill(*files, "--teacher", model_folder, "--output", tmp_path / "out", "--encoder", encoder_folder)
    assert result.returncode == 0, result.stderr
    assert "3 documents; 5 windows in all" in result.stdout  # the annotated report is none of the texts
    for row in csv.DictReader((tmp_path / "out" / "log.csv").open()):
        assert float(row["loss_tags"]) > 0
        assert float(row["loss_soft_tags"]) > 0


def test_an_epoch_takes_as_many_of_both_as_the_settings_say(model_folder, tmp_path):
    model, tokenizer = load_pretrained(model_folder)
    own = Windower(tokenizer, 64, 16)
    settings = DistillationSettings(documents=2, texts=1, annotated=False)
    lessons = Lessons(Teacher(model), own, 0, ["A raid.", "Rockets."], settings, tmp_path / "states.safetensors")
    gold = [Example(w, None) for w in own.windows(REPORT)] * 3
    data = lessons.examples(gold, [REPORT] * 3, own, True)
    assert [example.taught is None for example in data] == [True] * len(gold) + [False] * 2
    assert [pool.number for pool in lessons.pools(len(gold), len(data))] == [2, 1]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--teacher", "nowhere/at all", "nowhere/at all"),
        ("--texts", "missing.jsonl", "missing.jsonl"),
        ("--texts", "numbers.jsonl", "numbers.jsonl:1: there is no text"),
    ],
)
def test_what_is_not_there_is_one_line(files, model_folder, encoder_folder, tmp_path, option, value, words):
    (tmp_path / "numbers.jsonl").write_text('{"text": 7}\n')
    value = tmp_path / value if value.endswith(".jsonl") else value
    result = distill(*files, "--teacher", model_folder, "--output", tmp_path / "out", "--encoder", encoder_folder, option, value)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
