"""A command in, how long it took and how much memory it held out."""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SHOWN = 30  # last lines of a command that failed
KIB_PER_MIB = 2**10 if sys.platform != "darwin" else 2**20  # Linux counts KiB, macOS bytes


@dataclass(frozen=True)
class Child:
    """A process that has ended well."""

    seconds: float
    peak_mib: float  # the largest process of it and its own children; at least that of ours
    output: str  # stdout and stderr


def run(command: str, folder: Path) -> Child:
    """Run a command in a folder with the Python and the tools that run us."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            shlex.split(command),
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        last = "\n".join(text.splitlines()[-SHOWN:])
        raise SystemExit(f"`{command}` ended with status {process.returncode}:\n{last}")
    return Child(seconds, usage.ru_maxrss / KIB_PER_MIB, text)


def environment(folder: Path) -> dict[str, str]:
    """Ours, with .venv first on PATH and what DVC keeps of a repository elsewhere put beside it."""
    tools = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": os.pathsep.join([tools, os.environ.get("PATH", os.defpath)]),
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "site"),
        "DVC_NO_ANALYTICS": "1",
    }
