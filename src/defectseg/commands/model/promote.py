"""`defectseg model promote`: a stage and a version in, a tag out, or why it may not be there."""

from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.model.register import find_root, tell_push
from defectseg.registry.promote import Promoted
from defectseg.registry.promote import promote as put_into_stage
from defectseg.registry.tags import push_tags


def promote(
    stage: Annotated[str, typer.Argument(help="Such as prod.")],
    version: Annotated[
        str | None,
        typer.Argument(help="Such as v1.0.0; the last registered one.", show_default=False),
    ] = None,
    reason: Annotated[str, typer.Option("--message", "-m", help="Why; kept in the tag.")] = "",
    unverified: Annotated[
        str,
        typer.Option(metavar="REASON", help="Why it may be there unverified; kept in the tag."),
    ] = "",
    push: Annotated[bool, typer.Option(help="Push the tag to origin too.")] = False,
) -> None:
    """Put a version into a stage, if gates, verify and compare agree."""
    with explain_failure():
        root = find_root()
        promoted = put_into_stage(stage, version or None, reason, unverified, root)
        tell_promoted(stage, promoted)
        if push:
            push_tags(promoted.tags, root)
    typer.echo("pushed to origin" if push else tell_push(promoted.tags))


def tell_promoted(stage: str, promoted: Promoted) -> None:
    """What is in the stage now, and what spoke for it."""
    was = f", before it {promoted.before}" if promoted.before else ""
    typer.echo(f"{stage} is {promoted.version} now{was}, by {' and '.join(promoted.tags)}")
    for finding in promoted.findings:
        typer.echo(f"  {finding}")
