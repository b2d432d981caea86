"""`defectseg verify`: a commit in, whether its pipeline gives the same again out."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.table import format_table, write_report
from defectseg.errors import RevisionError
from defectseg.revisions.revision import open_revision
from defectseg.verification.clean_clone import temporary_folder
from defectseg.verification.outs import ComparedOut, ComparedStage
from defectseg.verification.record import NOTES, VerifyRecord, write_record
from defectseg.verification.verify import Verification, verify_revision

STATUS = {"bit-equal": 0, "different": 1, "within": 3}
UNKNOWN = 2  # it could not be verified
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
SHOWN = 8  # outs that are not the same, of one stage


def verify(
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="A commit, branch or tag.")] = "HEAD",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the clone, to look at it.")] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write every out's verdict to this file.")
    ] = None,
    epsilon: Annotated[
        float, typer.Option(min=0, help="By how much a number in a JSON file may differ.")
    ] = 1e-6,
) -> None:
    """Run a commit's whole pipeline in a clean clone and compare with its dvc.lock.

    Status: 0 the same bytes, 3 the same numbers within epsilon, 1 different, 2 not verified.
    """
    try:
        with explain_failure(status=UNKNOWN), temporary_folder(keep) as folder:
            found = verify_revision(open_revision(rev), folder, epsilon, say)
            write_report(json, describe(found))
            if keep:
                say(f"kept: {folder / 'clone'}")
    except KeyboardInterrupt:
        say("interrupted: nothing is verified")
        raise typer.Exit(INTERRUPTED) from None
    for line in format_verification(found):
        typer.echo(line)
    keep_record(found.record)
    raise typer.Exit(STATUS[found.record.outcome])


def say(line: str) -> None:
    """What is not the answer."""
    typer.echo(f"verify: {line}", err=True)


def keep_record(record: VerifyRecord) -> None:
    """Write the note that the registry asks for; without it the answer is the same."""
    try:
        write_record(record)
    except RevisionError as error:
        say(f"the answer could not be kept as a git note, so `make promote` does not know: {error}")
        return
    say(f"kept as a git note; others get it by `git push origin refs/notes/{NOTES}`")


def describe(found: Verification) -> dict[str, object]:
    """Everything, for a file."""
    return {
        **found.record.model_dump(mode="json"),
        "stages": [asdict(stage) for stage in found.stages],
        "facts": {name: {"then": a, "here": b} for name, (a, b) in found.facts.items()},
    }


def format_verification(found: Verification) -> list[str]:
    """A table of the stages, one of the machines, and the answer."""
    rows = [(stage.name, stage.outcome, count_same(stage)) for stage in found.stages]
    lines = [*format_table(("stage", "outcome", "outs with the same bytes"), rows)]
    for stage in found.stages:
        lines += explain_stage(stage)
    return [*lines, "", *format_facts(found.facts), "", answer(found.record)]


def count_same(stage: ComparedStage) -> str:
    """Such as `3 of 4`."""
    compared = [out for out in stage.outs if out.sameness != "not compared"]
    return f"{sum(out.sameness == 'bit-equal' for out in compared)} of {len(compared)}"


def explain_stage(stage: ComparedStage) -> list[str]:
    """The outs that are not the same bytes, and the sources that are not those of the lock."""
    if stage.outcome == "bit-equal":
        return []
    others = [out for out in stage.outs if out.sameness not in {"bit-equal", "not compared"}]
    lines = ["", f"{stage.name}:", *(f"  {describe_out(out)}" for out in others[:SHOWN])]
    if others[SHOWN:]:
        lines.append(f"  … and {len(others) - SHOWN} more")
    if stage.changed:
        lines.append(f"  dvc.lock was written with other content of {', '.join(stage.changed)}")
    return lines


def describe_out(out: ComparedOut) -> str:
    """Such as `models/unet.json: within, at most 1e-07 apart`."""
    return f"{out.path}: {out.sameness}" + (f", {out.note}" if out.note else "")


def format_facts(facts: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """The machine of the training beside this one, where either is known."""
    rows = [
        (name, show(then), show(here))
        for name, (then, here) in facts.items()
        if then is not None or here is not None
    ]
    return format_table(("machine", "of the training", "here"), rows)


def show(value: Any) -> str:
    """A fact, or a dash."""
    return "–" if value is None else str(value)


def answer(record: VerifyRecord) -> str:
    """One sentence."""
    name = f"{record.commit[:9]} in {record.seconds:.0f} s"
    first = f"first in {record.first_different}"
    said = {
        "bit-equal": f"bit-equal: {name}, every out has the bytes that dvc.lock names",
        "within": f"within {record.epsilon:g}: {name}, other bytes {first}, the same metrics",
        "different": f"different: {name}, {first}",
    }[record.outcome]
    return said if record.has_same_packages else f"{said}; with other packages than its own"
