"""A repository with a pipeline of two quick stages, for tests of what is done with a pipeline.

Variables of the environment make it misbehave: LOAD_NOISE is added to the data, NOISE to the
number that `train` computes; NOISE=fail makes it fail and NOISE=slow makes it last.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PIPELINE = """\
stages:
  data_load:
    cmd: python load.py
    deps: [load.py]
    params: [data_load]
    outs:
      - data.txt
      - tiles
  train:
    cmd: python train.py
    deps: [train.py, data.txt]
    params: [compute, train]
    outs:
      - weights.bin
      - models/unet.run.json
      - metrics.json:
          cache: false
"""
LOAD = """\
import os
from pathlib import Path
Path("data.txt").write_text("1" + os.environ.get("LOAD_NOISE", ""))
Path("tiles").mkdir()
for name in ("a", "b"):
    Path("tiles", name).write_text(name)
"""
TRAIN = """\
import json, os, time
from pathlib import Path
noise = os.environ.get("NOISE", "0")
if "RUNS" in os.environ:
    with open(os.environ["RUNS"], "a") as file:
        file.write(f"{os.getpid()}\\n")
if noise == "slow":
    time.sleep(600)
value = 0.5 + float(noise)  # "fail" fails
Path("weights.bin").write_text(str(value))
Path("metrics.json").write_text(json.dumps({"iou": value}))
Path("models").mkdir(exist_ok=True)
run = {"started": time.time(), "hardware": {"cpu": "that of the training"}}
Path("models/unet.run.json").write_text(json.dumps(run))
"""
PARAMS = "data_load: {source: synthetic}\ncompute: {seed: 0}\ntrain: {rate: 0.000001}\n"
PROJECT = (
    '[project]\nname = "small"\ndependencies = []\n[project.optional-dependencies]\npipeline = []\n'
)


@dataclass(frozen=True)
class Small:
    """A repository whose pipeline has run and is committed."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command there, whatever its status."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def out_of(self, *command: str) -> str:
        """What a command writes that must succeed."""
        done = self.run(*command)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def write(self, path: str, content: str) -> None:
        """Write a file and commit everything."""
        (self.folder / path).write_text(content, encoding="utf-8")
        self.out_of("git", "add", "--all")
        self.out_of("git", "commit", "--quiet", "-m", path)

    def ask(
        self, command: str, *arguments: str, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run one of our commands, as `defectseg <command>` does."""
        return self.run(*command_line(command), *arguments, **variables)

    def clone(self, folder: Path) -> "Small":
        """A git clone, without data."""
        made = Small(folder, self.environment)
        folder.mkdir(parents=True)
        made.out_of("git", "clone", "--quiet", str(self.folder), ".")
        return made


def command_line(name: str) -> list[str]:
    """`defectseg <name>`."""
    code = f"import typer; from defectseg.commands.{name} import {name}; typer.run({name})"
    return [sys.executable, "-c", code]


def make_small(folder: Path, variables: Mapping[str, str] = {}) -> Small:
    """Make the repository and run its pipeline."""
    home, temporary = folder / "home", folder / "temporary"
    for place in (folder / "project", home, temporary):
        place.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "DVC_NO_ANALYTICS": "1",
        **variables,
    }
    made = Small(folder / "project", environment)
    for name, value in (("user.name", "Tester"), ("user.email", "tester@example.com")):
        made.out_of("git", "config", "--global", name, value)
    made.out_of("git", "init", "--quiet")
    made.out_of("dvc", "init", "--quiet")
    texts = {
        "dvc.yaml": PIPELINE,
        "load.py": LOAD,
        "train.py": TRAIN,
        "params.yaml": PARAMS,
        "pyproject.toml": PROJECT,
        "requirements.txt": "",
    }
    for name, text in texts.items():
        (made.folder / name).write_text(text, encoding="utf-8")
    made.out_of("dvc", "repro")
    made.out_of("git", "add", "--all")
    made.out_of("git", "commit", "--quiet", "-m", "Run the pipeline")
    return made
