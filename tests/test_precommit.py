"""The hooks of .pre-commit-config.yaml: what a commit may not have, planted and refused by git."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ran_project import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PIPELINE = "stages:\n  train:\n    cmd: python train.py\n    params: [train]\n    outs: [model]\n"
LOCK = """schema: '2.0'
stages:
  train:
    cmd: python train.py
    params:
      params.yaml:
        train:
          epochs: 2
    outs:
    - path: model
      hash: md5
      md5: 11111111111111111111111111111111
"""
# Put together here, so that this file is no secret itself.
AWS = "AKIA" + "Z7RNQ4TKPL2MXW5E"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n"
PASSWORD = 'password = "{}"\n'.format("xK9-vQ2mLr84")


class Repository:
    """A repository with our hooks."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        cache = {"HOME": str(home), "PRE_COMMIT_HOME": str(home / "hooks")}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            **cache,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def write(self, path: str, content: str | bytes) -> None:
        place = self.folder / path
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self) -> str:
        """Stage everything and commit; empty where git takes it, else what the hooks say."""
        self.run("git", "add", "--all")
        done = self.run("git", "commit", "--quiet", "-m", "Planted")
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def is_clean(self) -> bool:
        return self.run("git", "status", "--porcelain").stdout == ""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A clean first commit, made through the hooks; tests take copies of it."""
    root = tmp_path_factory.mktemp("first")
    folder, home = root / "repository", root / "home"
    folder.mkdir()
    home.mkdir()
    made = Repository(folder, home)
    for name, value in (("user.name", "Ann"), ("user.email", "ann@example.com")):
        made.run("git", "config", "--global", name, value)
    made.run("git", "init", "--quiet")
    (folder / ".git/info/exclude").write_text("/.venv\n", encoding="utf-8")
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    made.write("dvc.yaml", PIPELINE)
    made.write("params.yaml", "train:\n  epochs: 2\n")
    made.write("dvc.lock", LOCK)
    made.write("train.py", '"""Trains."""\n\nDIGEST = "5f1b2ad3c228c0b4d340c8dae4216c2b"\n')
    made.write("notes.md", "Title\n=======\n")
    made.write("explore.ipynb", json.dumps(notebook()))
    installed = made.run("pre-commit", "install")
    assert installed.returncode == 0, installed.stderr
    made.environment["SKIP"] = "mypy"  # it wants the whole of src/
    assert made.commit() == ""
    return made


@pytest.fixture
def repository(first: Repository, tmp_path: Path) -> Repository:
    """A copy of the first commit, to plant something in."""
    shutil.copytree(first.folder, tmp_path / "copy", symlinks=True)
    copied = Repository(tmp_path / "copy", first.folder.parent / "home")
    copied.environment["SKIP"] = "mypy"
    return copied


def notebook(**cell: Any) -> dict[str, Any]:
    """A notebook of one cell that has not run."""
    empty = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}}
    cells = [{**empty, "outputs": [], "source": ["1 + 1"], **cell}]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


OUTPUT = {
    "data": {"text/plain": ["2"]},
    "execution_count": 1,
    "metadata": {},
    "output_type": "execute_result",
}


@pytest.mark.parametrize(
    ("path", "content", "hook", "said"),
    [
        ("model.onnx", bytes(600 * 1024), "large-files", "model.onnx (600 KB) exceeds 500 KB"),
        ("deploy/run.sh", f"export AWS_ACCESS_KEY_ID={AWS}\n", "secrets", "AWS Access Key"),
        ("settings.py", PASSWORD, "secrets", "Secret Keyword"),
        ("id_rsa", KEY, "private-keys", "Private key found: id_rsa"),
        ("notes.md", "<<<<<<< HEAD\na\n=======\nb\n", "conflict-markers", "notes.md:1"),
        (
            "explore.ipynb",
            json.dumps(notebook(execution_count=1, outputs=[OUTPUT])),
            "notebook-outputs",
            "explore.ipynb",
        ),
        (
            "params.yaml",
            "train:\n  epochs: 3\n",
            "dvc-lock",
            "train: train.epochs is 3, but it ran with 2",
        ),
        ("dvc.lock", "stages: 7\n", "dvc-lock", "dvc.lock has no mapping of stages"),
        ("wrong.py", "import os\nprint(undefined)\n", "ruff", "undefined"),
    ],
)
def test_what_a_commit_may_not_have_is_refused(
    repository: Repository, path: str, content: str | bytes, hook: str, said: str
):
    repository.write(path, content)
    answer = repository.commit()
    assert f"- hook id: {hook}\n" in answer
    assert answer.count("- hook id:") == 1
    assert said in answer
    assert not repository.is_clean()


def test_params_and_a_lock_that_match_are_taken(repository: Repository):
    repository.write("params.yaml", "train:\n  epochs: 3\n")
    repository.write("dvc.lock", LOCK.replace("epochs: 2", "epochs: 3"))
    assert repository.commit() == ""
    assert repository.is_clean()


def test_only_what_is_staged_counts(repository: Repository):
    repository.write("params.yaml", "train:\n  epochs: 3\n")
    repository.write("notes.md", "Other\n")
    repository.run("git", "add", "notes.md")
    done = repository.run("git", "commit", "--quiet", "-m", "Notes only")
    assert done.returncode == 0, done.stderr
    repository.run("git", "add", "params.yaml")
    repository.write("params.yaml", "train:\n  epochs: 2\n")
    done = repository.run("git", "commit", "--quiet", "-m", "Staged params")
    assert "train.epochs is 3, but it ran with 2" in done.stdout + done.stderr
