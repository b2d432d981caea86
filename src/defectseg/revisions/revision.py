"""A name (a commit, a branch, a tag, an experiment, the workspace) in, its files out.

What git tracks is read from git. What DVC tracks is taken from the cache or, where it is not there,
from the remote; each file and folder is compared with the hash that dvc.lock gives it.
"""

import hashlib
import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from defectseg.data.audit.versions import WORKSPACE
from defectseg.errors import RevisionError
from defectseg.revisions.lock import LOCK, Lock, LockedFile, parse_lock
from defectseg.revisions.process import ask, ask_bytes


@dataclass(frozen=True)
class Revision:
    """One state of the repository around us."""

    name: str  # as a person calls it
    commit: str | None  # None = the workspace
    root: Path  # of the repository

    def read(self, path: str) -> bytes | None:
        """A file that git tracks, or a file of the workspace; None where there is none."""
        if self.commit is None:
            place = self.root / path
            return place.read_bytes() if place.is_file() else None
        if not ask("git", "ls-tree", self.commit, "--", path, folder=self.root):
            return None
        return ask_bytes("git", "show", f"{self.commit}:{path}", folder=self.root)

    @cached_property
    def lock(self) -> Lock:
        """Its dvc.lock; empty where it has none."""
        return parse_lock((self.read(LOCK) or b"").decode("utf-8", "replace"), self.name)

    def fetch(self, path: str, folder: Path) -> Path | None:
        """A file or a folder that DVC tracks, as it lies or as a copy below `folder`.

        Returns:
            Its place; None where the revision has none.

        Raises:
            RevisionError: It is neither in the cache nor to be had from the remote, or damaged.
        """
        if self.commit is None:
            place = self.root / path
            return place if place.exists() else None
        locked = self.lock.out(path)
        if locked is None:
            return None
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with_dvc(self, locked, place)
        if md5_of(place) != locked.md5:
            raise RevisionError(
                f"{path} at {self.name} is damaged: its MD5 is not {locked.md5}, as {LOCK} has it; "
                "delete it from .dvc/cache, then `dvc fetch` takes it from the remote again; "
                "where the remote itself has it so, `defectseg storage check` finds it"
            )
        return place


def open_revision(name: str, root: Path = Path()) -> Revision:
    """Find a revision by its name.

    Raises:
        RevisionError: There is no such revision, or this is no git repository.
    """
    if name == WORKSPACE:
        return Revision(name, None, root)
    try:
        asked = (
            "git",
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            f"{name}^{{commit}}",
        )
        return Revision(name, ask(*asked, folder=root).strip(), root)
    except RevisionError as error:
        raise RevisionError(
            f"there is no revision {name!r} here; give a commit, a branch, a tag, an experiment or "
            f"{WORKSPACE}. Where others have it: `git fetch`"
        ) from error


def with_dvc(revision: Revision, locked: LockedFile, place: Path) -> None:
    """Copy an out of a commit to a place, by DVC; says so where it comes from the remote."""
    from botocore.exceptions import (  # type: ignore[import-untyped]  # neither is an OSError
        BotoCoreError,
        ClientError,
    )
    from dvc.api import DVCFileSystem  # type: ignore[import-untyped]  # takes half a second
    from dvc.exceptions import DvcException  # type: ignore[import-untyped]
    from dvc_data.index import DataIndexError

    try:
        system: Any = DVCFileSystem(url=str(revision.root), rev=revision.commit)
        if not is_cached(locked, system):
            print(f"fetching {locked.path} of {revision.name} from the remote", file=sys.stderr)
        system.get(locked.path, str(place), recursive=locked.is_folder)
    except (DvcException, DataIndexError, BotoCoreError, ClientError, OSError) as error:
        raise RevisionError(
            f"{locked.path} at {revision.name} cannot be had: {error}; it is not in the cache "
            "here. Is the storage reachable (docs/operations.md), and was it pushed (`dvc push`)?"
        ) from error


def is_cached(locked: LockedFile, system: Any) -> bool:
    """Whether the cache on this machine has it."""
    return bool(system.repo.cache.local.exists(locked.md5))


def md5_of(path: Path) -> str:
    """The MD5 by which DVC knows a file, or a folder: then that of the list of its files."""
    if path.is_dir():
        names = {file.relative_to(path).as_posix(): file for file in path.rglob("*")}
        listed = [
            {"md5": md5_of(names[name]), "relpath": name}
            for name in sorted(names)
            if names[name].is_file()
        ]
        text = json.dumps(listed, sort_keys=True).encode()
        return f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir"
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
