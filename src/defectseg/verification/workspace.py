"""The dvc.lock of the workspace in, which of its outs lie here as it says, and which do not, out.

Every file is read and hashed: the times and the database by which DVC saves that work count for
nothing here. A folder's hash is the MD5 of the list of its files, as DVC writes it.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from defectseg.errors import RevisionError
from defectseg.revisions.lock import LOCK, Lock, LockedFile, LockedStage, parse_lock
from defectseg.revisions.process import ask
from defectseg.revisions.revision import md5_of
from defectseg.verification.settings import read_yaml

EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
Presence = Literal["same", "different", "missing"]


@dataclass(frozen=True)
class CheckedOut:
    """One out of a stage, here."""

    path: str
    presence: Presence
    is_in_git: bool  # and not in DVC's cache
    note: str = ""  # which files of a folder differ


@dataclass(frozen=True)
class CheckedStage:
    """One stage, here."""

    name: str
    outs: tuple[CheckedOut, ...]
    changed: tuple[str, ...]  # files and params sections that are not what it read

    @property
    def is_same(self) -> bool:
        """Its outs are those of the lock, and so is what it reads."""
        return not self.changed and all(out.presence == "same" for out in self.outs)


def read_workspace_lock(root: Path) -> Lock:
    """The lock of the workspace.

    Raises:
        RevisionError: There is none, or it names no stage.
    """
    place = root / LOCK
    lock = parse_lock(place.read_text("utf-8") if place.is_file() else "", "the workspace")
    if not lock.stages:
        raise RevisionError(
            f"there is no {LOCK} here, so nothing to reproduce; go to the root of the repository, "
            "or run the pipeline: `dvc repro`"
        )
    return lock


def missing_outs(lock: Lock, root: Path) -> list[str]:
    """The outs that are not here and that git does not have."""
    tracked = tracked_files(root)
    outs = [out.path for stage in lock.stages.values() for out in stage.outs]
    return [path for path in outs if not (root / path).exists() and path not in tracked]


def tracked_files(root: Path) -> frozenset[str]:
    """What git tracks."""
    return frozenset(filter(None, ask("git", "ls-files", "-z", folder=root).split("\0")))


def check_workspace(lock: Lock, root: Path, cache: Path) -> Iterator[CheckedStage]:
    """Hash the outs of every stage, and what it reads.

    Args:
        cache: DVC's; it knows which files a folder should have.
    """
    tracked = tracked_files(root)
    made = {out.path: out.md5 for stage in lock.stages.values() for out in stage.outs}
    for name, stage in lock.stages.items():
        outs = tuple(check_out(out, root, cache, out.path in tracked) for out in stage.outs)
        yield CheckedStage(name, outs, tuple(changed_inputs(stage, made, root)))


def check_out(out: LockedFile, root: Path, cache: Path, is_in_git: bool) -> CheckedOut:
    """Hash one out."""
    place = root / out.path
    if not place.exists():
        return CheckedOut(out.path, "missing", is_in_git)
    if out.is_folder != place.is_dir():
        is_now = "a folder" if place.is_dir() else "a file"
        return CheckedOut(out.path, "different", is_in_git, f"it is {is_now} here")
    if not out.is_folder:
        is_same = md5_of(place) == out.md5
        return CheckedOut(out.path, "same" if is_same else "different", is_in_git)
    files = hash_folder(place)
    if digest_of(files) == out.md5:
        return CheckedOut(out.path, "same", is_in_git)
    return CheckedOut(out.path, "different", is_in_git, differences(files, out.md5, cache))


def hash_folder(folder: Path) -> dict[str, str]:
    """The MD5 of each file of a folder, by its path in there."""
    names = [
        Path(at) / name for at, _, names in os.walk(folder, followlinks=True) for name in names
    ]
    return {name.relative_to(folder).as_posix(): md5_of(name) for name in sorted(names)}


def digest_of(files: Mapping[str, str]) -> str:
    """The hash by which DVC knows a folder."""
    listed = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    text = json.dumps(listed, sort_keys=True).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest() + ".dir"


def differences(files: Mapping[str, str], locked: str, cache: Path, shown: int = 5) -> str:
    """Which files of a folder are not as they were; empty where the cache does not know."""
    try:
        listed = json.loads((cache / "files/md5" / locked[:2] / locked[2:]).read_text("utf-8"))
        expected = {entry["relpath"]: entry["md5"] for entry in listed}
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    kinds = {
        "missing": [name for name in expected if name not in files],
        "changed": [n for n in expected if n in files and files[n] != expected[n]],
        "too many": [name for name in files if name not in expected],
    }
    return "; ".join(f"{kind}: {cut(names, shown)}" for kind, names in kinds.items() if names)


def cut(names: Sequence[str], shown: int) -> str:
    """The first names, and how many more there are."""
    rest = f" and {len(names) - shown} more" if names[shown:] else ""
    return ", ".join(names[:shown]) + rest


def changed_inputs(stage: LockedStage, made: Mapping[str, str], root: Path) -> Iterator[str]:
    """Files and params that a stage read, and that are something else now.

    An out of another stage is compared as the lock has it: whether it is here is that one's matter.
    """
    for dep in stage.deps:
        if dep.path in made:
            if made[dep.path] != dep.md5:
                yield f"{dep.path}, of which {LOCK} has two versions"
            continue
        place = root / dep.path
        if not place.exists():
            yield f"{dep.path}, which is gone"
        elif hash_of(place) != dep.md5:
            yield dep.path
    for file, sections in stage.params.items():
        content: Mapping[str, Any] = read_yaml(root / file)
        for key, value in sections.items():
            if settle(look_up(content, key)) != settle(value):
                yield f"{file}: {key}"


def hash_of(place: Path) -> str:
    """The hash of a file or a folder, as DVC has it."""
    return digest_of(hash_folder(place)) if place.is_dir() else md5_of(place)


def look_up(content: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key; None where there is none."""
    found: Any = content
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def settle(value: Any) -> Any:
    """A value without the difference between YAML 1.1, which we read, and 1.2, which DVC writes.

    `1e-06` is a text to the one and a number to the other.
    """
    match value:
        case dict():
            return {key: settle(one) for key, one in value.items()}
        case list():
            return [settle(one) for one in value]
        case str() if EXPONENT.fullmatch(value):
            return float(value)
    return value
