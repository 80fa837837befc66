import json

import pytest
import torch
from conftest import REPORT
from typer.testing import CliRunner

from conflict_nlp import load
from conflict_nlp.batch import Labeller
from conflict_nlp.cli import app
from conflict_nlp.precision import half_of


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16), ({"avx2": True}, None), ({"avx512_bf16": False}, None)],
)
def test_a_cpu_computes_in_half_only_where_it_has_the_instructions(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert half_of(torch.device("cpu")) is expected


@pytest.mark.parametrize(("capability", "expected"), [((9, 0), torch.bfloat16), ((8, 0), torch.bfloat16), ((7, 5), torch.float16)])
def test_a_gpu_that_would_emulate_bfloat16_computes_in_float16(monkeypatch, capability, expected):
    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: asked.append(device) or capability)
    assert half_of(torch.device("cuda:1")) is expected
    assert asked == [torch.device("cuda:1")]


def test_an_older_torch_that_does_not_tell_what_the_cpu_can_do_computes_in_single_precision(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert half_of(torch.device("cpu")) is None


def test_half_precision_is_asked_for(model_folder, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert load(model_folder, device="cpu").half is None
    assert load(model_folder, device="cpu", half=True).half is torch.bfloat16
    assert Labeller(str(model_folder), "cpu").extractor.half is None
    assert Labeller(str(model_folder), "cpu", half=True).extractor.half is torch.bfloat16


def test_half_precision_changes_scores_a_little(model_folder, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})  # it is computed elsewhere too, only slower
    full, half = (next(load(model_folder, device="cpu", half=half).read([REPORT]))[1][0] for half in (False, True))
    likely = {(int(s), int(e), int(label)): float(score) for s, e, label, score in zip(full.starts, full.ends, full.labels, full.scores, strict=True)}
    same = {(int(s), int(e), int(label)): float(score) for s, e, label, score in zip(half.starts, half.ends, half.labels, half.scores, strict=True)}
    shared = likely.keys() & same.keys()
    assert len(shared) > 0.7 * len(likely)
    assert 0 < max(abs(likely[key] - same[key]) for key in shared) < 0.2


def test_the_command_takes_it(model_folder, tmp_path):
    (tmp_path / "report.txt").write_text(REPORT)
    result = CliRunner().invoke(app, ["extract", str(tmp_path / "report.txt"), "--model", str(model_folder), "--half", "--format", "json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["text"] == REPORT
