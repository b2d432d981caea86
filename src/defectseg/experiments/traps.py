"""The workspace in, what a queued experiment would not have, or would have unexpectedly, out.

An experiment of the queue runs in a copy of the repository below .dvc/tmp/exps: what git and DVC
track travels there, with its local changes, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from defectseg.errors import SHOWN
from defectseg.experiments.queue import Queue, list_experiments
from defectseg.revisions.process import ask

INPUTS = ("src/", "data/", "params.yaml", "dvc.yaml", "pyproject.toml")
REMOTE = ("http://", "https://", "s3://")


@dataclass(frozen=True)
class Traps:
    """What to know before experiments are queued."""

    refusals: tuple[str, ...]  # they would fail, or be something else than they seem
    remarks: tuple[str, ...]


def find_traps(prefix: str, queue: Queue, root: Path = Path()) -> Traps:
    """Look for what would go wrong with experiments `<prefix>-1`, `<prefix>-2`, ….

    Raises:
        RevisionError: git cannot be asked.
    """
    refusals = [*name_clashes(prefix, queue), *lost_inputs(root)]
    return Traps(tuple(refusals), (*changes(root), *describe_trouble(queue)))


def name_clashes(prefix: str, queue: Queue) -> list[str]:
    """Names that exist: DVC would refuse them, or put the result under another baseline."""
    kept = {one.name for one in list_experiments()}
    queued = {name for name, status in queue.tasks if status != "Success"}
    names = sorted(n for n in kept | queued if is_numbered(n, prefix))
    if not names:
        return []
    removal = " && ".join(
        command
        for command, has_some in (
            (f"dvc exp remove {' '.join(n for n in names if n in kept)}", kept & set(names)),
            (f"dvc queue remove {' '.join(n for n in names if n in queued)}", queued & set(names)),
        )
        if has_some
    )
    return [f"{', '.join(names)} exist already: choose another NAME, or `{removal}`"]


def is_numbered(name: str, prefix: str) -> bool:
    """Whether a name is `<prefix>-<number>`."""
    head, _, number = name.rpartition("-")
    return head == prefix and number.isdecimal()


def lost_inputs(root: Path) -> list[str]:
    """What would not travel."""
    asked = ("git", "ls-files", "-z", "--others", "--exclude-standard")
    names = filter(None, ask(*asked, folder=root).split("\0"))
    lost = [name for name in names if name.startswith(INPUTS)]
    found = []
    if lost:
        found.append(
            f"neither git nor DVC tracks {cut(lost)}: they would not travel to the copy that an "
            f"experiment runs in. `git add` them, or remove them"
        )
    source = source_of(root)
    if source and not Path(source).is_absolute() and not is_tracked(source, root):
        found.append(
            f"data_load.source is {source!r}, a relative path that git does not have: the copy "
            "that an experiment runs in would not find it. Give an absolute path"
        )
    return found


def source_of(root: Path) -> str | None:
    """The path that the pictures come from; None where they come from elsewhere."""
    try:
        content: Any = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        source = content["data_load"]["source"]
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError):
        return None
    is_path = isinstance(source, str) and source != "synthetic" and not source.startswith(REMOTE)
    return source if is_path else None


def is_tracked(path: str, root: Path) -> bool:
    """Whether git has a file or something in a folder."""
    inside = not path.startswith("..")
    return inside and bool(ask("git", "ls-files", "--", path, folder=root))


def changes(root: Path) -> list[str]:
    """Local changes: they travel, so the experiments are not of the commit alone."""
    lines = ask("git", "status", "--porcelain", "-uno", folder=root).splitlines()
    if not lines:
        return []
    names = cut([line[3:] for line in lines])
    return [f"the experiments will have your changes that are not committed: {names}"]


def describe_trouble(queue: Queue) -> list[str]:
    """What went wrong in the queue, and what helps."""
    failed = [name for name, status in queue.tasks if status == "Failed"]
    running = [name for name, status in queue.tasks if status == "Running"]
    queued = [name for name, status in queue.tasks if status == "Queued"]
    said = []
    if failed:
        logs = ", ".join(f"`dvc queue logs {name}`" for name in failed[:SHOWN])
        said.append(
            f"failed, and in no list of results: {cut(failed)}. Why: {logs}; to forget them: "
            f"`dvc queue remove --failed`"
        )
    if queue.active < len(running):
        said.append(
            f"{cut(running)} count as running, but {queue.active} of {len(running)} workers are "
            f"alive: a worker was killed. `dvc queue kill {' '.join(running)}` notes them as "
            "failed; `dvc queue start` starts a worker"
        )
    if queued and not queue.workers:
        said.append(f"{cut(queued)} wait, but no worker runs: `dvc queue start`")
    return said


def cut(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    rest = f" and {len(names) - SHOWN} more" if names[SHOWN:] else ""
    return ", ".join(names[:SHOWN]) + rest
