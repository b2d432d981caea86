"""`defectseg lock merge`: git's driver for dvc.lock: three files in, our file merged out."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from defectseg.errors import RevisionError
from defectseg.files import write_atomically
from defectseg.revisions.merge import Merged, merge_locks
from defectseg.revisions.process import ask

CONFLICT = 1  # for git: more than 128 would be a crash
LABELS = ("-L", "ours", "-L", "base", "-L", "theirs")


def merge(
    base: Annotated[Path, typer.Argument(help="What both sides began with: git's %O.")],
    ours: Annotated[Path, typer.Argument(help="Our side, which is written to: git's %A.")],
    theirs: Annotated[Path, typer.Argument(help="Their side: git's %B.")],
) -> None:
    """Merge dvc.lock stage by stage; git calls it where `make setup` has told it to.

    Exits with 1, a conflict, where both sides changed a stage, each otherwise.
    """
    try:
        merged = merge_locks(*(path.read_bytes() for path in (base, ours, theirs)))
        with write_atomically(ours) as file:
            file.write(merged.text)
    except (RevisionError, OSError) as error:
        merge_as_text(base, ours, theirs)
        typer.echo(
            f"dvc.lock: {error}. It was merged as text: take a side by `git checkout --ours "
            "dvc.lock` or --theirs, then `dvc repro`",
            err=True,
        )
        raise typer.Exit(CONFLICT) from error
    for line in describe_merge(merged):
        typer.echo(line, err=True)
    if merged.conflicts:
        raise typer.Exit(CONFLICT)


def merge_as_text(base: Path, ours: Path, theirs: Path) -> None:
    """Leave in ours what git's merge of text gives, with its marks; ours where it gives nothing."""
    with suppress(RevisionError):  # it fails where it leaves marks
        ask("git", "merge-file", *LABELS, str(ours), str(base), str(theirs))


def describe_merge(merged: Merged) -> list[str]:
    """What a person has to know of it."""
    lines = []
    if merged.taken:
        lines.append(f"dvc.lock: taken from theirs: {', '.join(merged.taken)}")
    if merged.conflicts:
        names = ", ".join(merged.conflicts)
        lines.append(
            f"dvc.lock: both sides changed {names}. Resolve the other files first, keep either "
            "side of each mark, then `dvc repro` and `git add dvc.lock`"
        )
    if merged.reruns:
        names = ", ".join(merged.reruns)
        lines.append(
            f"dvc.lock: this combination never ran: `dvc repro` will run {names}, or those of "
            "them whose files turn out to differ; commit its result"
        )
    return lines
