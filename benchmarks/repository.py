"""A checkout in, a clean copy of its files out, with other params: what a benchmark runs in."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PARAMS = "params.yaml"


def copy_repository(checkout: Path, folder: Path) -> None:
    """Copy every file that git tracks or would track, as it lies in the working tree."""
    listed = git(checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (checkout / name).is_file():  # a tracked file may have been deleted
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checkout / name, folder / name)


def change_params(folder: Path, changes: Mapping[str, Any]) -> None:
    """Set dotted keys of params.yaml; its comments go.

    Raises:
        KeyError: There is no such key.
    """
    path = folder / PARAMS
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for dotted, value in changes.items():
        *sections, key = dotted.split(".")
        section = params
        for name in sections:
            section = section[name]
        if key not in section:
            raise KeyError(f"{PARAMS} has no {dotted}")
        section[key] = value
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def commit_all(folder: Path) -> None:
    """Make a git repository of the copy: DVC wants one."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    author = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")
    git(folder, *author, "commit", "--quiet", "--no-verify", "--message", "Copy")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    return subprocess.run(
        ["git", "-C", folder, *arguments], check=True, capture_output=True, text=True
    ).stdout
