"""A commit in, a folder out in which its whole pipeline ran anew: nothing cached or installed.

The interpreter is the one that runs this; the stages find it first on PATH. DVC's settings of this
machine (a shared cache, a state database) are put aside, so that nothing is taken from there.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from types import FrameType

from defectseg.errors import RevisionError
from defectseg.revisions.lock import LOCK

PREFIX = "defectseg-verify-"
PATIENCE = 10.0  # seconds that the pipeline has to end when it is asked to
OWN = ("DVC_", "GIT_", "PYTHON")  # variables that would lead the clone elsewhere


@dataclass(frozen=True)
class CleanClone:
    """A commit, checked out in a folder of its own."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *command: str, timeout: float | None = None) -> int:
        """Run a command there; what it says goes to stderr as it comes. Returns its status.

        It and all that it starts end with us, also when we are interrupted.
        """
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__ or subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(timeout)
        finally:
            stop_group(process)

    def ask(self, *command: str) -> None:
        """Run a command of git or DVC that has to succeed.

        Raises:
            RevisionError: It fails.
        """
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise RevisionError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


@contextmanager
def temporary_folder(is_kept: bool) -> Iterator[Path]:
    """A folder for the clone, which goes at the end, also when we are asked to stop."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, interrupt)
    folder = Path(mkdtemp(prefix=PREFIX))
    try:
        yield folder
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)
        signal.signal(signal.SIGTERM, earlier)


def clone_commit(root: Path, commit: str, folder: Path) -> CleanClone:
    """Clone a repository and check a commit out, with a cache and a state of its own, both empty.

    Raises:
        RevisionError: git or DVC cannot do it.
    """
    place = folder / "clone"
    place.mkdir()
    clone = CleanClone(place, clean_environment(folder))
    clone.ask("git", "clone", "--quiet", "--no-checkout", str(root.resolve()), ".")
    clone.ask("git", "checkout", "--quiet", "--detach", commit)
    clone.ask("dvc", "config", "--local", "cache.dir", str(folder / "cache"))
    return clone


def clean_environment(folder: Path) -> dict[str, str]:
    """Our variables without those that would lead git, DVC or Python elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "DVC_SITE_CACHE_DIR": str(folder / "state"),
        "DVC_NO_ANALYTICS": "1",
    }


def run_pipeline(clone: CleanClone) -> int:
    """Run every stage, none from a cache; the status of `dvc repro`.

    The lock goes first: what it holds afterwards ran here.
    """
    (clone.folder / LOCK).unlink(missing_ok=True)
    return clone.run("dvc", "repro", "--force", "--no-run-cache")


def stop_group(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it started, if any is left."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
