"""A project in, where DVC keeps its storage out; what leads there goes into .dvc/config.local.

DVC's own code reads and writes its settings. It is called, not run as a command: the secret would
stand on the command line, where every user of the machine could read it.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defectseg.errors import StorageError
from defectseg.storage.keys import OWNER_ONLY, Keys

S3_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]+)(?:/(?P<prefix>.*))?")
# What `make storage` writes; the profile, for one of the environment is not in our configpath.
OURS = ("endpointurl", "access_key_id", "secret_access_key", "configpath", "profile")
LOCAL = "config.local"


@dataclass(frozen=True)
class Remote:
    """The remote that `dvc push` and `dvc pull` use."""

    name: str
    url: str  # s3://bucket/prefix
    bucket: str
    endpoint: str | None  # None = the provider's own


def find_project(start: Path) -> Path:
    """The project around a folder.

    Raises:
        StorageError: There is none.
    """
    for folder in (start.absolute(), *start.absolute().parents):
        if (folder / ".dvc").is_dir():
            return folder
    raise StorageError(f"{start.absolute()} is in no DVC project; go into your clone first")


def read_remote(root: Path) -> Remote:
    """The default remote of a project.

    Raises:
        StorageError: There is none, or it is no S3 bucket.
    """
    config = _open_config(root)
    name = config["core"].get("remote")
    settings = config["remote"].get(name, {})
    url = str(settings.get("url", ""))
    found = S3_URL.fullmatch(url)
    if not found:
        raise StorageError(
            f"the default remote of {root} is {url or name!r}, not an S3 address such as "
            "s3://bucket/prefix: see the remote in .dvc/config"
        )
    return Remote(name, url, found["bucket"], settings.get("endpointurl"))


def point_at(root: Path, endpoint: str, keys: Keys, client: Path) -> None:
    """Let this clone's DVC use a server, with its keys; in a file that git ignores.

    Args:
        client: A file as ~/.aws/config; its profile `default` is used.
    """
    values = (endpoint, keys.access_key_id, keys.secret_access_key, str(client), "default")
    _edit(root, read_remote(root).name, dict(zip(OURS, values, strict=True)))


def forget(root: Path) -> bool:
    """Take out what `point_at` wrote; whether there was anything."""
    remote = read_remote(root)
    if not (root / ".dvc" / LOCAL).exists():
        return False
    return _edit(root, remote.name, {})


def _edit(root: Path, name: str, values: dict[str, str]) -> bool:
    path = root / ".dvc" / LOCAL
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, OWNER_ONLY))
    path.chmod(OWNER_ONLY)  # before the secret is in it; DVC keeps the mode
    with _open_config(root).edit("local") as settings:
        section = settings["remote"].setdefault(name, {})
        kept = {key: value for key, value in section.items() if key not in OURS}
        is_changed = bool(kept | values != section)
        section.clear()
        section.update(kept | values)
        if not section:
            del settings["remote"][name]
    return is_changed


def _open_config(root: Path) -> Any:
    from dvc.config import Config, ConfigError  # type: ignore[import-untyped]  # half a second

    try:
        return Config(str(root / ".dvc"))
    except ConfigError as error:
        raise StorageError(f"DVC cannot read its settings in {root / '.dvc'}: {error}") from error
