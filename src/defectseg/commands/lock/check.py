"""`defectseg lock check`: what is staged, or a commit, in; where dvc.lock does not match it out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.errors import SHOWN
from defectseg.revisions.git_files import read_files
from defectseg.revisions.mismatch import Mismatch, find_mismatches
from defectseg.revisions.process import ask
from defectseg.revisions.revision import open_revision

WRONG = 2


def check(
    rev: Annotated[
        str | None, typer.Option(help="A commit, branch or tag instead of what is staged.")
    ] = None,
    strict: Annotated[
        bool, typer.Option(help="Refuse changed files and stages too, not only params.")
    ] = False,
) -> None:
    """Refuse a dvc.lock that does not match params.yaml, so that no commit has others' results.

    Exits with 1 if it does not match, with 2 if a file cannot be read. A stage whose code or
    command changed is only told, for work may be committed before it is run; --strict refuses it.
    """
    with explain_failure(status=WRONG):
        root = Path(ask("git", "rev-parse", "--show-toplevel").removesuffix("\n"))
        commit = open_revision(rev, root).commit if rev is not None else None
        found = find_mismatches(lambda paths: read_files(paths, commit, root))
    refused = [one for one in found if strict or one.kind == "param"]
    told = [one for one in found if one not in refused]
    for line in describe_told(told):
        typer.echo(line)
    if refused:
        for line in describe_refused(refused, rev):
            typer.echo(line, err=True)
        raise typer.Exit(1)


def describe_told(told: Sequence[Mismatch]) -> list[str]:
    """One line for the stages that will run again anyway."""
    stages = dict.fromkeys(one.stage for one in told)
    return [f"note: `dvc repro` will run again: {', '.join(stages)}"] if stages else []


def describe_refused(refused: Sequence[Mismatch], rev: str | None) -> list[str]:
    """What does not match, and what to do."""
    where = rev or "what is staged"
    lines = [f"  {one.describe()}" for one in refused[:SHOWN]]
    if len(refused) > SHOWN:
        lines.append(f"  … and {len(refused) - SHOWN} more")
    return [
        f"error: dvc.lock does not match {where} ({len(refused)}):",
        *lines,
        "run `dvc repro`, then `git add dvc.lock params.yaml` and what it wrote; "
        "or take the change back",
    ]
