"""A file in, the throw-away keys of a storage out: made at random once, for their owner's eyes."""

import json
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from defectseg.errors import StorageError

OWNER_ONLY = 0o600


@dataclass(frozen=True)
class Keys:
    """What a client of the storage signs its requests with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


def make_keys() -> Keys:
    """New keys; hexadecimal, for rclone separates them by a comma and quotes."""
    return Keys(secrets.token_hex(10), secrets.token_hex(20))


def keep_keys(path: Path) -> Keys:
    """Read the keys, or make them where there are none.

    Raises:
        StorageError: The file is damaged.
    """
    if path.exists():
        path.chmod(OWNER_ONLY)
        return read_keys(path)
    keys = make_keys()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0o600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"access_key_id": keys.access_key_id, "secret": keys.secret_access_key}, file)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
    return keys


def read_keys(path: Path) -> Keys:
    """Read the keys of a storage.

    Raises:
        StorageError: There are none, or the file is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Keys(str(content["access_key_id"]), str(content["secret"]))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StorageError(
            f"{path} has no keys that can be read; stop the storage, delete that file, and the "
            "next `make storage` makes new ones (the objects stay)"
        ) from error
