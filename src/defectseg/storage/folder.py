"""A folder in, the places of what a storage keeps there out: objects, keys, lock, record, log.

The lock is held by the server itself, for as long as it lives: the system releases it however the
server ends, so that no number of a dead process is ever taken for a running server.
"""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from defectseg.errors import StorageError
from defectseg.files import write_atomically

# rclone 1.75.2 remembers the checksum that came with an object and sends it with each part of it,
# too. Clients take that for damage: they could read nothing that they read in parts (50 MB and up).
CLIENT = """[default]
request_checksum_calculation = when_required
response_checksum_validation = when_required
"""
LEFTOVERS = ".rclone_temp_*"  # uploads that a killed server did not finish; never under their name


@dataclass(frozen=True)
class StorageFolder:
    """What lies in the folder of a storage; only its owner may look in."""

    root: Path  # absolute

    @property
    def objects(self) -> Path:
        """What is served: a folder for each bucket, a file for each object."""
        return self.root / "objects"

    @property
    def keys(self) -> Path:
        """The keys that the server asks for."""
        return self.root / "keys.json"

    @property
    def client(self) -> Path:
        """How an S3 client has to be set for the server, in the form of ~/.aws/config."""
        return self.root / "client.ini"

    @property
    def lock(self) -> Path:
        """Locked while a server runs."""
        return self.root / "lock"

    @property
    def record(self) -> Path:
        """Process and port of the server that runs or ran last."""
        return self.root / "server.json"

    @property
    def log(self) -> Path:
        """What the servers said, oldest first."""
        return self.root / "server.log"


def make_folder(root: Path) -> StorageFolder:
    """Make the folder where it is missing.

    Raises:
        StorageError: It cannot be made or written to.
    """
    folder = StorageFolder(root.absolute())
    try:
        folder.objects.mkdir(parents=True, exist_ok=True)
        folder.root.chmod(0o700)
        for name in (folder.lock, folder.log):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600))
        with write_atomically(folder.client) as file:
            file.write(CLIENT)
    except OSError as error:
        raise StorageError(
            f"{folder.root} cannot hold a storage: {error.strerror}; give another, FOLDER=…"
        ) from error
    return folder


def take_lock(folder: StorageFolder) -> int | None:
    """The lock of a folder, as a descriptor that holds it while any process has it open.

    Returns:
        None while a server or its start holds the lock.
    """
    try:
        descriptor = os.open(folder.lock, os.O_RDWR)
    except FileNotFoundError as error:
        raise StorageError(f"there is no storage in {folder.root}; `make storage`") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(folder: StorageFolder) -> bool:
    """Whether a server runs on the folder, or is just being started."""
    if not folder.lock.exists():
        return False
    descriptor = take_lock(folder)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def remove_unfinished(folder: StorageFolder) -> int:
    """Remove uploads that a killed server left; only while no server runs. How many there were."""
    found = list(folder.objects.rglob(LEFTOVERS))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)
