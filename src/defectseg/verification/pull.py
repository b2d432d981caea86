"""Paths of outs in, their files here out: from DVC's cache, or from the storage."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from defectseg.errors import RevisionError, StorageError
from defectseg.revisions.process import ask

# What dvc 3.67.1 says of files that the storage does not have; any other failure is one of reach.
ABSENT = "do not exist neither locally nor on remote"
NO_REMOTE = "No remote provided"
ADVICE = "start it by `make storage`, or see docs/operations.md"
SHOWN = 5  # paths in a message


def pull(paths: Sequence[str], root: Path) -> None:
    """Bring outs that are missing here; what the storage lacks stays missing.

    Raises:
        StorageError: The storage cannot be asked; what the cache has is here all the same.
        RevisionError: DVC cannot be run.
    """
    status, said = run_dvc(paths, root)
    if status == 0 or ABSENT in said:
        return
    still = [path for path in paths if not (root / path).exists()]
    rest = f" and {len(still) - SHOWN} more" if still[SHOWN:] else ""
    lacking = f"not in DVC's cache here: {', '.join(still[:SHOWN])}{rest}"
    if NO_REMOTE in said:
        raise StorageError(f"{lacking}; and no storage is set: {ADVICE}")
    reason = next((line for line in said.splitlines() if line.startswith("ERROR")), "it says not")
    raise StorageError(
        f"{lacking}; and the storage did not give them: {reason.removeprefix('ERROR: ')}. Is it "
        f"running, and are the keys right? {ADVICE}"
    )


def run_dvc(paths: Sequence[str], root: Path) -> tuple[int, str]:
    """Run `dvc pull`; its status and what it said."""
    tools = Path(sys.executable).parent
    path = f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    try:
        done = subprocess.run(
            ["dvc", "pull", *paths],
            cwd=root,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise RevisionError(f"`dvc pull` cannot be run: {error}") from error
    return done.returncode, done.stdout


def cache_folder(root: Path) -> Path:
    """DVC's cache."""
    return Path(root, ask("dvc", "cache", "dir", folder=root).strip())
