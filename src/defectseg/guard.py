"""A stage's declared dependencies in; what of them changed while it ran out.

DVC hashes the dependencies of a stage when it ends, not when it starts: a file that is edited
meanwhile is recorded as what the stage read (https://github.com/iterative/dvc/issues/11058).
Single files are compared by content. Folders may hold 100 000 pictures and are compared by name,
size and time of each file: a picture that is only touched counts as changed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defectseg.errors import SHOWN, DependencyError

PIPELINE = Path("dvc.yaml")
PARAMS = "params.yaml"


@dataclass(frozen=True)
class Noted:
    """The dependencies of one stage, as they were at one moment."""

    files: Mapping[str, str | None]  # path → what it was; None = not there
    params: Mapping[str, Any]  # section → its content

    def differences(self, later: "Noted") -> list[str]:
        """The paths and sections that are not what they were, sorted."""
        paths = self.files.keys() | later.files.keys()
        changed = [path for path in paths if self.files.get(path) != later.files.get(path)]
        sections = [f"{PARAMS}: {s}" for s in self.params if self.params[s] != later.params.get(s)]
        return sorted([*changed, *sections])


class Guard:
    """Notes what a stage of dvc.yaml declares, and refuses a result of anything else."""

    def __init__(self, stage: str, pipeline: Path = PIPELINE) -> None:
        """Note the dependencies now; nothing where there is no such stage or no YAML to read it."""
        self._stage = stage
        self._deps, self._sections = read_declared(stage, pipeline)
        self._noted = self._note()

    def refuse_changes(self) -> None:
        """Raises:
        DependencyError: Some dependency is not what it was; names all of them.
        """
        changed = self._noted.differences(self._note())
        if changed:
            shown = ", ".join(changed[:SHOWN]) + (", …" if len(changed) > SHOWN else "")
            raise DependencyError(
                f"changed while {self._stage} ran: {shown}. Nobody can say which of the two "
                f"states its result belongs to, so it does not count: `dvc repro` runs "
                f"{self._stage} again"
            )

    def _note(self) -> Noted:
        files = {path: mark for dep in self._deps for path, mark in mark_files(Path(dep)).items()}
        return Noted(files, read_sections(self._sections))


def read_declared(stage: str, pipeline: Path) -> tuple[Sequence[str], Sequence[str]]:
    """The `deps` and the sections under `params` of a stage."""
    content = read_yaml(pipeline)
    found = content.get("stages", {}).get(stage, {})
    return found.get("deps", []), found.get("params", [])


def read_sections(sections: Sequence[str]) -> dict[str, Any]:
    """Sections of params.yaml; None for one that is not there."""
    content = read_yaml(Path(PARAMS)) if sections else {}
    return {section: content.get(section) for section in sections}


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file; empty where it cannot be read, which others say better."""
    try:
        import yaml  # the stage check_packages has to run where it is missing
    except ImportError:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def mark_files(path: Path) -> dict[str, str | None]:
    """What a file is by content, or each file of a folder by size and time."""
    if path.is_dir():
        return {found.as_posix(): mark_by_time(found) for found in path.rglob("*")}
    try:
        with path.open("rb") as file:
            return {path.as_posix(): hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError:
        return {path.as_posix(): None}


def mark_by_time(path: Path) -> str | None:
    """A file's size and time of change; only that it is there of a folder."""
    try:
        found = path.stat()
    except OSError:
        return None
    return "" if path.is_dir() else f"{found.st_size} {found.st_mtime_ns}"
