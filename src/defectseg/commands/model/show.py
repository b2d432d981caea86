"""`defectseg model show`: a version or a stage in, all that is known of that model out."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.model.register import find_root
from defectseg.commands.scores import score_row, select_scores
from defectseg.commands.table import format_table, write_report
from defectseg.registry.describe import Described, describe_model
from defectseg.registry.tags import Event


def show(
    name: Annotated[str, typer.Argument(help="A version or a stage, such as v1.0.0 or prod.")],
    json: Annotated[
        Path | None, typer.Option("--json", help="Write it to this file.", show_default=False)
    ] = None,
) -> None:
    """Tell where a model is used, how good it is, and what it was made of."""
    with explain_failure():
        found = describe_model(name, find_root())
        write_report(json, as_json(found))
    for line in describe(found):
        typer.echo(line)


def describe(found: Described) -> Iterator[str]:
    """What a person reads."""
    event = found.registered
    yield f"{found.version}  in {', '.join(found.stages) or 'no stage'}"
    facts = {
        "commit": event.commit,
        "registered": f"{event.at:%Y-%m-%d %H:%M} UTC by {event.by}: {event.subject}",
        "gates": found.gates,
        "verified": found.verified,
        **found.model,
        **describe_run(found.run),
    }
    for key, value in facts.items():
        yield f"  {key:15} {value}"
    yield ""
    yield "stages"
    for past, version in found.history:
        yield f"  {describe_past(past, version)}"
        for key, value in past.trailers.items():
            yield f"      {key}: {value}"
    yield ""
    yield from describe_scores(found.scores)


def describe_past(event: Event, version: str | None) -> str:
    """Such as `2026-01-31 10:00 UTC prod ← v1.0.0 (unet#prod#1) by Ann <ann@…>: Promote …`."""
    arrow = "takes out" if event.action == "unassign" else "←"
    what = version or event.commit[:12]
    return (
        f"{event.at:%Y-%m-%d %H:%M} UTC {event.stage} {arrow} {what} ({event.tag}) "
        f"by {event.by}: {event.subject}"
    )


def describe_run(run: Any) -> dict[str, str]:
    """What a training says of itself; nothing where that is not to be had."""
    if not run:
        return {}
    hardware, git = run.get("hardware") or {}, run.get("git") or {}
    device = hardware.get("accelerator") or hardware.get("cpu")
    joules = run.get("joules")
    energy = "" if joules is None else f", {joules} J"
    changed = " with changed files" if git.get("is_changed") else ""
    return {
        "trained": f"{run.get('started')} in {run.get('seconds')} s{energy} on {device}",
        "trained from": f"{git.get('revision')}{changed}",
    }


def describe_scores(scores: Any) -> list[str]:
    """The table of `defectseg scores`; a sentence where there are none."""
    if not isinstance(scores.get("interval"), dict):
        return ["its scores are not to be had: metrics/evaluate.json is missing or damaged"]
    rows = [score_row(name, scores) for name in select_scores(scores)]
    return format_table(("score", "test", "95 % interval"), rows)


def as_json(found: Described) -> dict[str, Any]:
    """Everything, for a program."""
    return {
        "version": found.version,
        "commit": found.registered.commit,
        "registered": as_plain(found.registered),
        "stages": [*found.stages],
        "history": [{**as_plain(past), "of": version} for past, version in found.history],
        "gates": found.gates,
        "verified": found.verified,
        "model": dict(found.model),
        "run": dict(found.run),
        "scores": dict(found.scores),
    }


def as_plain(event: Event) -> dict[str, Any]:
    """An event for JSON."""
    return {**asdict(event), "at": event.at.isoformat()}
