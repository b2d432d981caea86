"""A clone with a storage of its own for the tests of storage/: real git, DVC, rclone, sockets."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from defectseg.storage.folder import StorageFolder
from defectseg.storage.server import read_record, stop_server
from ran_project import ROOT, Clone

COMMAND = (
    "import typer; from defectseg.commands import storage\n"
    "app = typer.Typer()\n"
    "for name in ('start', 'stop', 'status', 'check'):\n"
    "    app.command(name)(getattr(storage, name))\n"
    "app()"
)
CONFIG = ROOT / ".dvc/config"
LONGEST = 60.0  # seconds until something that is waited for must have happened


@dataclass(frozen=True)
class StoredProject:
    """A clone, and the storage that lies in it."""

    clone: Clone

    @property
    def place(self) -> StorageFolder:
        return StorageFolder(self.clone.folder / ".storage")

    def storage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`defectseg storage …` in the clone."""
        return storage(self.clone, *arguments)

    def start(self) -> str:
        """What the command says that starts the server at any free port."""
        done = self.storage("start", "--port", "0")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kill(self) -> None:
        """End the server as a crash does, and wait until it is gone."""
        kill_server(self.place)

    def objects(self) -> dict[str, Path]:
        """The files under the names of DVC's objects, by name."""
        folder = self.place.objects / "defectseg/dvc/files/md5"
        return {
            f"{path.parent.name}{path.name}": path
            for path in folder.glob("??/*")
            if not path.name.startswith(".")
        }

    def half_objects(self) -> list[str]:
        """Objects whose content is not that of their name."""
        return [
            name
            for name, path in self.objects().items()
            if hashlib.md5(path.read_bytes()).hexdigest() != name.removesuffix(".dir")
        ]

    def colleague(self, folder: Path) -> Clone:
        """A fresh clone, without a file that DVC tracks, that knows address and keys."""
        folder.mkdir(parents=True)
        clone = Clone(folder, self.clone.environment)
        clone.out_of("git", "clone", "--quiet", str(self.clone.folder), ".")
        self.tell(clone)
        return clone

    def tell(self, clone: Clone) -> None:
        """Give a clone address and keys of the storage as it runs now."""
        local = (self.clone.folder / ".dvc/config.local").read_bytes()
        (clone.folder / ".dvc/config.local").write_bytes(local)


def storage(clone: Clone, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`defectseg storage …` in a clone, with the code of this working tree."""
    environment = clone.environment | {"PYTHONPATH": str(ROOT / "src")}
    return Clone(clone.folder, environment).run(sys.executable, "-c", COMMAND, *arguments)


def kill_server(place: StorageFolder) -> None:
    record = read_record(place)
    assert record
    os.kill(record.pid, signal.SIGKILL)
    wait_until(lambda: not answers(record.port))


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + LONGEST
    while not happened():
        assert time.monotonic() < give_up, "it does not happen"
        time.sleep(0.005)


@contextmanager
def stored_project(clone: Clone) -> Iterator[StoredProject]:
    """A clone with a storage that runs."""
    project = StoredProject(clone)
    project.start()
    try:
        yield project
    finally:
        stop_server(project.place)


def small_project(folder: Path) -> Clone:
    """A git repository with two files and a folder of two that DVC tracks, by our settings."""
    home = folder / "home"
    home.mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = kept | {"PATH": path, "HOME": str(home), "DVC_SITE_CACHE_DIR": str(home / "dvc")}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true"}
    clone = Clone(folder / "first", environment)
    clone.folder.mkdir()
    for name, value in (("user.name", "Tester"), ("user.email", "tester@example.com")):
        clone.out_of("git", "config", "--global", name, value)
    clone.out_of("git", "init", "--quiet")
    clone.out_of("dvc", "init", "--quiet")
    shutil.copy(CONFIG, clone.folder / ".dvc/config")
    (clone.folder / ".gitignore").write_text("/.storage/\n")
    (clone.folder / "pictures").mkdir()
    for name in ("pictures/one", "pictures/two", "model"):
        (clone.folder / name).write_text(name * 100)
    clone.out_of("dvc", "add", "--quiet", "pictures", "model")
    commit(clone, "Begin")
    return clone


def commit(clone: Clone, message: str) -> None:
    clone.out_of("git", "add", "--all")
    clone.out_of("git", "commit", "--quiet", "-m", message)


def flip_byte(path: Path) -> None:
    """Damage a file; a second time, mend it."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
