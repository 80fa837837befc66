import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import matplotlib.image
import pytest
import thresholds
import torch
import typer
from conftest import REPORT
from examples import LengthBatches, Pool
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from settings import SettingsError, read_settings
from train import Run, fingerprint
from typer.testing import CliRunner

from conflict_nlp import load
from conflict_nlp.decoding import Thresholds

TRAIN = Path(__file__).parents[1] / "training" / "train.py"
CONFIG = """
encoder: some/encoder
model: {span_size: 32, pair_size: 16, head_dropout: 0.0}
training: {epochs: 4, batch_size: 2, encoder_lr: 1e-3, head_lr: 5e-3, ema: 0.5, precision: "no"}
"""


def document(id, words="Gunmen"):
    text = REPORT.replace("Gunmen", words)
    start = text.index("ambushed")
    spans = [
        {"id": "T1", "label": "ATTACK", "start": start, "end": start + 8, "text": "ambushed", "status": "actual", "incident": "i1"},
        {"id": "T2", "label": "ATTACKER", "start": 0, "end": len(words), "text": words},
    ]
    return {"id": id, "text": text, "spans": spans, "links": [{"anchor": "T1", "argument": "T2"}]}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "config.yaml").write_text(CONFIG)
    words = ["Gunmen", "Soldiers", "The brigades", "A convoy", "Three soldiers", "Al-Noor Brigades"]
    (folder / "train.jsonl").write_text("".join(json.dumps(document(f"t{i}", w)) + "\n" for i, w in enumerate(words)))
    (folder / "dev.jsonl").write_text("".join(json.dumps(document(f"d{i}", w)) + "\n" for i, w in enumerate(words[:2])))
    return folder


def command(data, encoder, output, *more, config="config.yaml"):
    files = ["--train", data / "train.jsonl", "--dev", data / "dev.jsonl", "--output", output, "--encoder", encoder]
    return [sys.executable, TRAIN, data / config, *files, *more]


ENVIRONMENT = {**os.environ, "ACCELERATE_USE_CPU": "true"}


def run(*arguments, **options):
    return subprocess.run([str(a) for a in command(*arguments, **options)], capture_output=True, text=True, check=False, env=ENVIRONMENT)


@pytest.fixture(scope="module")
def trained(data, encoder_folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("run")
    result = run(data, encoder_folder, output)
    assert result.returncode == 0, result.stderr
    return output


def test_a_run_leaves_a_model_its_scores_and_a_log(trained, data):
    nlp = load(trained, device="cpu")
    assert set(nlp.thresholds.spans) == set(nlp.schema.names)
    assert nlp.model.config.encoder_name == "some/encoder"
    rows = list(csv.DictReader((trained / "log.csv").open()))
    assert [int(r["epoch"]) for r in rows] == [1, 2, 3, 4]
    assert float(rows[-1]["loss_tags"]) < float(rows[0]["loss_tags"])
    scores = json.loads((trained / "scores.json").read_text())
    from conflict_nlp.evaluation.summary import scores as score
    from conflict_nlp.formats.jsonl import read_documents

    gold = list(read_documents(data / "dev.jsonl"))
    import dataclasses

    found = [dataclasses.replace(nlp(d.text), id=d.id) for d in gold]
    assert score(gold, found)["span_overlap_f1"] == pytest.approx(scores["span_overlap_f1"], abs=0.01)


def test_thresholds_can_be_tuned_alone(trained, data, tmp_path):
    model = shutil.copytree(trained, tmp_path / "model", ignore=shutil.ignore_patterns("checkpoints"))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"thresholds": {}}))
    app = typer.Typer()
    app.command()(thresholds.main)
    result = CliRunner().invoke(app, [str(model), str(data / "dev.jsonl"), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((trained / "scores.json").read_text())
    assert json.loads((model / "config.json").read_text())["thresholds"] == config["thresholds"]


def test_the_log_is_drawn(trained):
    image = matplotlib.image.imread(trained / "log.png")
    assert image.shape[0] > 300
    colours = {tuple(pixel) for pixel in image[::2, ::2, :3].reshape(-1, 3).round(2)}
    assert len(colours) > 20  # lines and words, not a blank sheet


def test_weights_are_half_precision_safetensors(trained):
    state = load_file(trained / "model.safetensors")
    assert {t.dtype for t in state.values() if t.is_floating_point()} == {torch.float16}
    assert json.loads((trained / "config.json").read_text())["dtype"] == "float16"


def test_the_same_seed_gives_the_same_model_whatever_log_was_left(trained, data, encoder_folder, tmp_path):
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "log.csv").write_text("epoch,seconds\n1,1000\n")
    assert run(data, encoder_folder, tmp_path / "again").returncode == 0
    assert [row["epoch"] for row in csv.DictReader((tmp_path / "again" / "log.csv").open())] == ["1", "2", "3", "4"]
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(trained, data, encoder_folder, tmp_path):
    output = tmp_path / "killed"
    process = subprocess.Popen([str(a) for a in command(data, encoder_folder, output)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    deadline = time.monotonic() + 120
    while not list((output / "checkpoints").glob("epoch-*")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    result = run(data, encoder_folder, output)
    assert result.returncode == 0, result.stderr
    assert re.search(r"4 epochs from [1-4]\n", result.stdout)
    assert (output / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


@pytest.mark.parametrize("learn", [["links", "attributes"], ["encoder", "tagger"]])
def test_what_does_not_learn_stays_as_it_is(trained, data, encoder_folder, tmp_path, learn):
    (tmp_path / "part.yaml").write_text(CONFIG.replace("ema: 0.5", f"ema: 0.5, learn: [{', '.join(learn)}]").replace("epochs: 4", "epochs: 1"))
    result = run(data, encoder_folder, tmp_path / "out", "--init", trained, config=tmp_path / "part.yaml")
    assert result.returncode == 0, result.stderr
    before, after = load_file(trained / "model.safetensors"), load_file(tmp_path / "out" / "model.safetensors")
    changed = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == set(learn)


def test_a_part_that_no_model_has_cannot_learn(tmp_path):
    (tmp_path / "part.yaml").write_text(CONFIG.replace("ema: 0.5", "ema: 0.5, learn: [heads]"))
    with pytest.raises(SettingsError, match=r"training\.learn names 'heads'; there are encoder, tagger"):
        read_settings(tmp_path / "part.yaml")
    (tmp_path / "part.yaml").write_text(CONFIG.replace("ema: 0.5", "ema: 0.5, learn: []"))
    with pytest.raises(SettingsError, match=r"training\.learn names nothing"):
        read_settings(tmp_path / "part.yaml")


OTHER = """schema:
  name: other
  labels:
    - {name: ATTACK, arguments: [ATTACKER], attributes: [{name: status, kind: choice, values: [actual, other]}, {name: incident, kind: cluster}]}
    - {name: ATTACKER}
"""


def test_a_model_of_another_schema_starts_from_a_trained_encoder(trained, data, encoder_folder, tmp_path):
    (tmp_path / "other.yaml").write_text(CONFIG + OTHER)
    own = Run(read_settings(tmp_path / "other.yaml"), str(encoder_folder), tmp_path / "out", "")
    theirs = load(trained, device="cpu").model.encoder.state_dict()
    bare = {name: tensor.clone() for name, tensor in own.model.encoder.state_dict().items()}
    own.start_from(trained)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in own.model.encoder.state_dict().items())
    assert any(not torch.equal(bare[name], theirs[name]) for name in bare)
    result = run(data, encoder_folder, tmp_path / "run", "--init", trained, "--init-encoder", trained)
    assert result.returncode == 2
    assert "give one of them" in result.stderr
    (tmp_path / "adapted.yaml").write_text(CONFIG + "adapter: {rank: 2, layers: 1}\n")
    with pytest.raises(SettingsError, match="has the adapter None"):
        Run(read_settings(tmp_path / "adapted.yaml"), str(encoder_folder), tmp_path / "out", "").start_from(trained)


def test_bad_data_are_refused_before_training_all_at_once(data, encoder_folder, tmp_path):
    bad = shutil.copytree(data, tmp_path / "bad")
    lines = [json.loads(line) for line in (bad / "train.jsonl").read_text().splitlines()]
    lines[0]["spans"][0]["end"] = 9999
    lines[2]["links"][0]["argument"] = "T9"
    lines[3]["spans"][1]["label"] = "VILLAIN"
    (bad / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = run(bad, encoder_folder, tmp_path / "out")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    for line, words in ((1, "9999"), (3, "no span T9"), (4, "no label 'VILLAIN'")):
        assert any(f"train.jsonl:{line}" in r and words in r for r in result.stderr.splitlines())
    assert not (tmp_path / "out").exists()


def test_a_run_is_not_resumed_over_another_start(trained, data, encoder_folder, model_folder, tmp_path):
    result = run(data, encoder_folder, shutil.copytree(trained, tmp_path / "run"), "--init", model_folder)
    assert result.returncode == 2
    assert "other settings or data" in result.stderr.splitlines()[-1]


def test_a_model_to_go_on_from_is_not_made_over_without_a_word(data, model_folder, tmp_path):
    (tmp_path / "other.yaml").write_text((data / "config.yaml").read_text().replace("model: {", "model: {max_starts: 7, "))
    with pytest.raises(SettingsError, match=r"has max_starts \d+, and the configuration 7"):
        Run(read_settings(tmp_path / "other.yaml"), None, tmp_path / "out", "", model_folder)
    assert not (tmp_path / "out").exists()


def test_a_mark_is_of_settings_encoder_and_files(data, tmp_path):
    settings = read_settings(data / "config.yaml")
    for name, content in [("a", "1\n2\n"), ("b", "3\n"), ("c", "1\n"), ("d", "2\n3\n")]:
        (tmp_path / name).write_text(content)
    files = [tmp_path / "a", tmp_path / "b"]
    others = [read_settings(data / "config.yaml", {"seed": 8}), files, None], [settings, files, "other"], [settings, [tmp_path / "c", tmp_path / "d"], None]
    assert len({fingerprint(settings, files), *(fingerprint(*other) for other in others)}) == 4


def test_where_the_documents_do_not_tell_a_threshold_is_the_usual_one():
    for name, grid in (("cluster", thresholds.CLUSTER_GRID), ("link", thresholds.GRID)):
        assert thresholds._search(Thresholds(), name, grid, lambda trial: {}, lambda scores: 1.0) == Thresholds()


def test_an_encoder_that_is_not_there_is_one_line(data, tmp_path):
    result = run(data, tmp_path / "none", tmp_path / "out")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_two_processes_train_together(data, encoder_folder, tmp_path):
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    arguments = [str(a) for a in [*launch, *command(data, encoder_folder, tmp_path / "two", "--epochs", "2")[1:]]]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert result.returncode == 0, result.stderr
    assert load(tmp_path / "two", device="cpu")(REPORT).text == REPORT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: {}", "encoder is missing"),
        ("- a", "encoder is missing"),
        ("encoder: x\nepochs: 3", "unknown field epochs"),
        ("encoder: x\ntraining: {epoch: 3}", "unknown field training.epoch"),
        ("encoder: x\ntraining: {epochs: many}", "training.epochs is 'many', not a whole number"),
        ("encoder: x\ntraining: {epochs: 0.5}", "training.epochs is 0.5, not a whole number"),
        ("encoder: x\ntraining: 5", "training is 5, not a mapping"),
        ("encoder: x\ntraining: {learn: links}", "training.learn is 'links', not list"),
        ("encoder: x\ntraining: {precision: 16}", "training.precision is 16, not str"),
        ("encoder: x\ntraining: {precision: fp16}", "training.precision is 'fp16'; there are auto, bf16, no"),
        ("encoder: x\nmodel: {span_sizes: 3}", "unknown field model.span_sizes"),
        ("encoder: [", "while parsing"),
    ],
)
def test_bad_configurations_name_the_field(tmp_path, text, words):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(SettingsError, match=words) as error:
        read_settings(tmp_path / "c.yaml")
    assert "c.yaml" in str(error.value)


@pytest.mark.parametrize("written", ["no", '"no"'])
def test_single_precision_is_said_with_and_without_quotes(tmp_path, written):
    (tmp_path / "c.yaml").write_text(f"encoder: x\ntraining: {{precision: {written}}}")
    assert read_settings(tmp_path / "c.yaml").training.precision == "no"


def test_the_configurations_of_the_repository_are_read():
    for path in (TRAIN.parents[1] / "configs").glob("*.yaml"):
        assert read_settings(path).encoder


@given(st.lists(st.integers(1, 30), min_size=1, max_size=2), st.integers(1, 8), st.integers(2, 4))
def test_of_several_processes_none_gets_a_short_batch(sizes, size, processes):
    ends = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    pools = [Pool(range(start, stop), stop - start) for start, stop in pairwise(ends)]
    batches = list(LengthBatches([7] * ends[-1], size, 1, pools, processes))
    assert all(len(batch) == size for batch in batches)
    assert {i for batch in batches for i in batch} == set(range(ends[-1]))
    assert all(any(set(batch) <= set(pool.places) for pool in pools) for batch in batches)


def test_batches_hold_every_example_once_and_similar_lengths():
    lengths = [(i * 37) % 101 + 1 for i in range(403)]
    batches = LengthBatches(lengths, 8, seed=1)
    first = list(batches)
    assert sorted(i for b in first for i in b) == list(range(403))
    assert len(first) == len(batches)
    assert first == list(batches)
    batches.epoch = 1
    assert first != list(batches)
    spread = sum(max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in first) / len(first)
    assert spread < 10
