"""A project that has run: a clone of this repository in which the tiny pipeline ran by `dvc repro`.

It takes about a minute, so there is one for the whole session, the fixture `ran_project`; tests
take copies of it by `copy_project`, in seconds.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
STAGES = ["check_packages", "data_load", "data_split", "train", "evaluate", "export"]
TINY: dict[str, dict[str, Any]] = {
    "compute": {"device": "cpu"},
    "data_load": {
        "synthetic": {
            "seed": 7,
            "pictures": 20,
            "clean_fraction": 0.3,
            "width": [96, 120],
            "height": [96, 120],
        }
    },
    "data_split": {"folds": 3},
    "train": {
        "image_size": 64,
        "epochs": 2,
        "pictures_per_epoch": 16,
        "batch_size": 4,
        "network": {
            "encoder": "tu-test_resnet",
            "encoder_weights": None,
            "decoder_channels": [16, 8, 8, 4, 4],
            "in_channels": 1,
        },
    },
    "evaluate": {"bootstrap": 100, "gallery": 1, "gates": {}},
    "export": {"calibration_pictures": 2},
}


@dataclass(frozen=True)
class Clone:
    """A clone of this repository in which the pipeline has run once and is committed."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone, whatever its status."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    def out_of(self, *command: str) -> str:
        """What a command writes that must succeed."""
        done = self.run(*command)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def repro(self) -> list[str]:
        """The stages that `dvc repro` runs."""
        return stages_run(self.out_of("dvc", "repro"))

    def change(self, **sections: Any) -> None:
        """Change params, such as train={"epochs": 1}."""
        params = self.folder / "params.yaml"
        content = yaml.safe_load(params.read_text(encoding="utf-8"))
        for section, values in sections.items():
            content[section] |= values
        params.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def json_of(self, path: str) -> Any:
        """The content of a JSON file."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))


def stages_run(output: str) -> list[str]:
    return re.findall(r"^Running stage '(\w+)'", output, flags=re.MULTILINE)


def run_project(folder: Path, home: Path) -> Clone:
    """Copy the files of this repository to a folder, run the pipeline there and commit it."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "HF_HUB_OFFLINE": "1",
    }
    clone = Clone(folder, environment)
    clone.change(**TINY)
    for name, value in (("user.name", "Tester"), ("user.email", "tester@example.com")):
        clone.out_of("git", "config", "--global", name, value)
    clone.out_of("git", "init", "--quiet")
    clone.out_of("git", "add", "--all")
    clone.out_of("git", "commit", "--quiet", "-m", "Take the files of this repository")
    assert clone.repro() == STAGES
    clone.out_of("git", "add", "--all")
    clone.out_of("git", "commit", "--quiet", "-m", "Run the pipeline")
    return clone


def copy_project(ran: Clone, folder: Path, has_own_cache: bool = False) -> Clone:
    """A git clone of a project that has run, with its data and models checked out.

    Args:
        has_own_cache: False: it shares the cache of the other and must not damage it. `dvc commit`
            of a stage that did not run damages it: DVC takes it for a run, and may restore it.
    """
    clone = Clone(folder, ran.environment)
    folder.mkdir(parents=True, exist_ok=True)
    clone.out_of("git", "clone", "--quiet", str(ran.folder), ".")
    cache = ran.folder / ".dvc/cache"
    if has_own_cache:
        shutil.copytree(cache, folder / ".dvc/cache")
    else:
        clone.out_of("dvc", "cache", "dir", "--local", str(cache))
    clone.out_of("dvc", "checkout", "--quiet")
    return clone
