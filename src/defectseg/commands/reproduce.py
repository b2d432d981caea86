"""`defectseg reproduce`: the committed lock in, whether its files are all here, hashed, out."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.table import format_table, write_report
from defectseg.errors import StorageError
from defectseg.revisions.lock import Lock
from defectseg.verification.pull import cache_folder, pull
from defectseg.verification.workspace import (
    CheckedOut,
    CheckedStage,
    check_workspace,
    missing_outs,
    read_workspace_lock,
)

OTHER, UNKNOWN = 1, 2  # statuses
ROOT = Path()


def reproduce(
    json: Annotated[
        Path | None, typer.Option("--json", help="Write what was found to this file.")
    ] = None,
) -> None:
    """Pull what is missing, and check the hash of every out against dvc.lock.

    Nothing runs, and nothing that lies here is overwritten. Status: 0 all as dvc.lock says,
    1 something is missing or different, 2 the storage cannot be reached.
    """
    with explain_failure(status=UNKNOWN):
        lock = read_workspace_lock(ROOT)
        unreached = pull_missing(lock)
        stages = list(check_workspace(lock, ROOT, cache_folder(ROOT)))
        write_report(json, [asdict(stage) for stage in stages])
    for line in format_stages(stages, has_asked=unreached is None):
        typer.echo(line)
    if unreached:
        typer.echo(f"error: {unreached}", err=True)
        raise typer.Exit(UNKNOWN)
    if not all(stage.is_same for stage in stages):
        raise typer.Exit(OTHER)


def pull_missing(lock: Lock) -> StorageError | None:
    """Pull what is not here; why the storage could not be asked, if so."""
    missing = missing_outs(lock, ROOT)
    if not missing:
        return None
    typer.echo(f"pulling {len(missing)} outs that are not here", err=True)
    try:
        pull(missing, ROOT)
    except StorageError as error:
        return error
    return None


def format_stages(stages: Sequence[CheckedStage], has_asked: bool) -> list[str]:
    """A table of the stages, what is wrong, and the answer.

    Args:
        has_asked: Whether the storage could be asked for what is missing.
    """
    rows = [(stage.name, count(stage), str(len(stage.changed) or "–")) for stage in stages]
    lines = format_table(("stage", "outs as in dvc.lock", "inputs changed since"), rows)
    for stage in stages:
        faults = [describe(out) for out in stage.outs if out.presence == "different"]
        faults += [f"it read another {path}" for path in stage.changed]
        if faults:
            lines += ["", f"{stage.name}:", *(f"  {fault}" for fault in faults)]
    return [*lines, *list_missing(stages, has_asked), "", answer(stages)]


def list_missing(stages: Sequence[CheckedStage], has_asked: bool) -> list[str]:
    """The outs that are not here, by who could have them."""
    gone = [out for stage in stages for out in stage.outs if out.presence == "missing"]
    in_git = [out.path for out in gone if out.is_in_git]
    others = [out.path for out in gone if not out.is_in_git]
    lines = ["", f"missing: {', '.join(others)}"] if others else []
    if others and has_asked:
        lines.append("the storage does not have them: who made them has to `dvc push`")
    return [*lines, *(f"missing: {path}; `git restore {path}`" for path in in_git)]


def count(stage: CheckedStage) -> str:
    """Such as `3 of 4`."""
    return f"{sum(out.presence == 'same' for out in stage.outs)} of {len(stage.outs)}"


def describe(out: CheckedOut) -> str:
    """How an out differs, and what helps."""
    note = f" ({out.note})" if out.note else ""
    back = "git restore" if out.is_in_git else "dvc checkout --force"
    return f"{out.path} differs{note}; to lose what is here: `{back} {out.path}`"


def answer(stages: Sequence[CheckedStage]) -> str:
    """One sentence."""
    outs = [out for stage in stages for out in stage.outs]
    same = sum(out.presence == "same" for out in outs)
    changed = [stage.name for stage in stages if stage.changed]
    if changed:
        return (
            f"{same} of {len(outs)} outs are those of dvc.lock, but `dvc repro` would run "
            f"{', '.join(changed)} again and what follows"
        )
    if same < len(outs):
        return f"{len(outs) - same} of {len(outs)} outs are not those of dvc.lock"
    return f"reproduced: all {len(outs)} outs have the bytes that dvc.lock names"
