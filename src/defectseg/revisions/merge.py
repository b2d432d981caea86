"""Three texts of dvc.lock in (base, ours, theirs), one out: merged stage by stage.

A stage that only one side changed is taken from that side. One that both changed, each otherwise,
is a conflict. What is taken may be a combination that nobody ever ran: `find_reruns` says which
stages `dvc repro` will have to run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from defectseg.errors import RevisionError
from defectseg.revisions.dvc_text import read_mapping, write_mapping
from defectseg.revisions.mismatch import list_files

STAGES = "stages"
OURS, MIDDLE, THEIRS = "<" * 7, "=" * 7, ">" * 7  # the marks of git
Stages = Mapping[str, Any]


@dataclass(frozen=True)
class Merged:
    """A merged dvc.lock."""

    text: str  # with git's marks around each stage that both sides changed
    conflicts: tuple[str, ...]  # names of these stages
    taken: tuple[str, ...]  # names of the stages that come from theirs
    reruns: tuple[str, ...]  # names of the stages that `dvc repro` will run, in their order


def merge_locks(base: bytes, ours: bytes, theirs: bytes) -> Merged:
    """Merge what two sides made of one dvc.lock.

    Args:
        base: What both began with; empty where they had none.

    Raises:
        RevisionError: One of them is no dvc.lock, or they differ in more than their stages.
    """
    before, our, their = (
        read_lock(text, name)
        for text, name in ((base, "the base"), (ours, "our side"), (theirs, "their side"))
    )
    head = _choose_head(before, our, their)
    names = order_stages(list(our[STAGES]), list(their[STAGES]))
    sides = {name: _choose(name, before[STAGES], our[STAGES], their[STAGES]) for name in names}
    conflicts = tuple(name for name, side in sides.items() if side is None)
    kept: dict[str, Any] = {
        name: side[name] for name, side in sides.items() if side is not None and name in side
    }
    blocks = [
        _mark(name, our[STAGES], their[STAGES]) if name in conflicts else _block(name, kept)
        for name in names
    ]
    text = (write_mapping(head) if head else "") + f"{STAGES}:\n" + "".join(blocks)
    if not any(blocks):
        text = write_mapping({**head, STAGES: {}})
    taken = tuple(n for n, side in sides.items() if side is their[STAGES])
    return Merged(text, conflicts, taken, find_reruns(kept))


def read_lock(text: bytes, name: str) -> dict[str, Any]:
    """The content of a dvc.lock; one without stages gets an empty list of them.

    Raises:
        RevisionError: It is no dvc.lock.
    """
    content = read_mapping(text, f"the dvc.lock of {name}")
    stages = content.setdefault(STAGES, {})
    if not isinstance(stages, dict) or not all(
        isinstance(key, str) and isinstance(one, dict) for key, one in stages.items()
    ):
        raise RevisionError(f"the dvc.lock of {name} has no mapping of stages")
    return content


def order_stages(ours: list[str], theirs: list[str]) -> list[str]:
    """Our order, with each stage that only theirs have behind the one it follows there."""
    order = list(ours)
    for position, name in enumerate(theirs):
        if name not in order:
            behind = order.index(theirs[position - 1]) + 1 if position else 0
            order.insert(behind, name)
    return order


def find_reruns(stages: Stages) -> tuple[str, ...]:
    """The stages that `dvc repro` has to run: a dep is not what another stage of these wrote.

    A stage behind such a one is named too; it is spared where the rerun gives the same bytes.
    """
    outs = {path: (name, md5) for name in stages for path, md5 in _files(stages[name], "out")}
    before: dict[str, set[str]] = {name: set() for name in stages}
    stale = set()
    for name in stages:
        for path, md5 in _files(stages[name], "dep"):
            maker, made = outs.get(path, (name, md5))
            before[name] |= {maker} - {name}
            if made != md5:
                stale.add(name)
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError:
        return tuple(name for name in stages if name in stale)
    for name in order:
        if before[name] & stale:
            stale.add(name)
    return tuple(name for name in order if name in stale)


def _files(stage: Mapping[str, Any], kind: str) -> list[tuple[str, str]]:
    return [(path, md5) for one, path, md5 in list_files(stage) if one == kind]


def _choose(name: str, base: Stages, ours: Stages, theirs: Stages) -> Stages | None:
    """The side whose state of a stage counts; None = both changed it, each otherwise."""
    before, our, their = base.get(name), ours.get(name), theirs.get(name)
    if our == their or their == before:
        return ours
    return theirs if our == before else None


def _choose_head(base: Stages, ours: Stages, theirs: Stages) -> dict[str, Any]:
    """What stands beside the stages, such as the schema.

    Raises:
        RevisionError: Both sides changed it, each otherwise.
    """
    before, our, their = (
        {key: value for key, value in side.items() if key != STAGES}
        for side in (base, ours, theirs)
    )
    if our == their or their == before:
        return our
    if our != before:
        raise RevisionError(f"the sides differ beside their stages: {our} and {their}")
    return their


def _mark(name: str, ours: Stages, theirs: Stages) -> str:
    our, their = _block(name, ours), _block(name, theirs)
    return f"{OURS} ours\n{our}{MIDDLE}\n{their}{THEIRS} theirs\n"


def _block(name: str, stages: Stages) -> str:
    """The lines of one stage, as they stand below `stages:`; nothing where it is not there."""
    if name not in stages:
        return ""
    return write_mapping({STAGES: {name: stages[name]}}).removeprefix(f"{STAGES}:\n")
