"""Publishing, against a stand-in for the Hub's client that keeps what would be uploaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import publish
import pytest
import typer
from conftest import REPORT
from huggingface_hub import CommitOperationAdd, HfApi
from typer.testing import CliRunner, Result

from conflict_nlp import load


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(publish.main)
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def model(model_folder: Path, tmp_path: Path) -> Path:
    """A model's folder as a run leaves it."""
    folder = shutil.copytree(model_folder, tmp_path / "runs" / "first")
    (folder / "checkpoints" / "epoch-001").mkdir(parents=True)
    (folder / "checkpoints" / "epoch-001" / "model.safetensors").write_bytes(b"large")
    (folder / "log.csv").write_text("epoch\n")
    (folder / "scores.json").write_text("{}")
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The Hub's client with the signatures of the real one; ``hub.folder`` has what was committed."""
    client = create_autospec(HfApi, instance=True)
    client.folder = tmp_path / "hub"

    def commit(name: str, operations: Iterable[CommitOperationAdd], **_: Any) -> None:
        for operation in operations:
            target = client.folder / name / operation.path_in_repo
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(operation.path_or_fileobj, target)

    client.create_repo.return_value = "https://huggingface.co/group/protests"
    client.create_commit.side_effect = commit
    monkeypatch.setattr(publish, "HfApi", lambda: client)
    monkeypatch.setattr(publish, "get_token", lambda: "hf_token")
    return client


def test_what_was_published_loads_and_labels_the_same(model: Path, hub: Any, tmp_path: Path) -> None:
    card = tmp_path / "protests.md"
    card.write_text("# Protests\n")
    result = run(model, "group/protests", "--card", card, "--private")
    assert result.exit_code == 0, result.output
    assert "https://huggingface.co/group/protests" in result.output
    assert hub.create_repo.call_args.kwargs == {"private": True, "exist_ok": True}
    there = hub.folder / "group" / "protests"
    names = {p.name for p in there.rglob("*")}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= names
    assert not names & {"log.csv", "scores.json", "checkpoints"}
    assert (there / "README.md").read_text() == "# Protests\n"
    assert load(there, device="cpu")(REPORT) == load(model, device="cpu")(REPORT)


def test_without_a_card_the_folders_own_or_a_note(model: Path, hub: Any) -> None:
    result = run(model, "group/protests")
    assert result.exit_code == 0
    assert "it has no card" in result.stderr
    (model / "README.md").write_text("# Mine\n")
    assert "card" not in run(model, "group/protests").stderr
    assert (hub.folder / "group" / "protests" / "README.md").read_text() == "# Mine\n"


def test_who_is_not_logged_in_is_told_in_one_line(model: Path, hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "get_token", lambda: None)
    result = run(model, "group/protests")
    assert result.exit_code == 2
    assert result.stderr == "error: nobody is logged in to the Hub: run `hf auth login`, or set HF_TOKEN\n"
    hub.create_repo.assert_not_called()


def test_nothing_is_published_that_does_not_load_or_lacks_its_card(model: Path, hub: Any, tmp_path: Path) -> None:
    assert "no such card" in run(model, "group/protests", "--card", tmp_path / "none.md").stderr
    (model / "model.safetensors").write_bytes(b"broken")
    result = run(model, "group/protests")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert run(tmp_path / "none", "group/protests").exit_code == 2
    hub.create_repo.assert_not_called()


def test_what_the_real_client_refuses_or_cannot_reach_is_one_line(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "get_token", lambda: "hf_token")
    monkeypatch.setattr(publish, "HfApi", lambda: HfApi(endpoint="http://127.0.0.1:9", token="hf_token"))
    for name in ("group/protests", "not a name"):
        result = run(model, name)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith(f"error: {name}: the Hub did not take it: ")
