"""A command of git or DVC in, what it writes out."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from defectseg.errors import RevisionError

TIMEOUT = 120.0  # seconds that git or DVC may take to say something
SHOWN = 500  # characters of what a command complains


def ask(*command: str, folder: Path | None = None, timeout: float | None = TIMEOUT) -> str:
    """What a command writes.

    Args:
        folder: Where it runs; None = here.
        timeout: Seconds; None = as long as it takes.

    Raises:
        RevisionError: It cannot be run, fails or takes too long; says what it wrote.
    """
    return ask_bytes(*command, folder=folder, timeout=timeout).decode("utf-8", "replace")


def ask_bytes(
    *command: str, folder: Path | None = None, timeout: float | None = TIMEOUT, given: bytes = b""
) -> bytes:
    """As `ask`, as it comes; `given` is what the command reads."""
    said = " ".join(command)
    try:
        done = _run(command, folder, timeout, given)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RevisionError(f"`{said}` cannot be run: {error}") from error
    if done.returncode:
        complaint = done.stderr.decode("utf-8", "replace").strip()[-SHOWN:]
        raise RevisionError(f"`{said}` failed: {complaint}")
    return done.stdout


def _run(
    command: Sequence[str], folder: Path | None, timeout: float | None, given: bytes
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        cwd=folder,
        input=given,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
