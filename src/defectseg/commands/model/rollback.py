"""`defectseg model rollback`: a stage in, the version before it there again by a new tag."""

from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.model.promote import tell_promoted
from defectseg.commands.model.register import find_root, tell_push
from defectseg.registry.promote import roll_back
from defectseg.registry.tags import push_tags


def rollback(
    stage: Annotated[str, typer.Argument(help="Such as prod.")],
    reason: Annotated[str, typer.Option("--message", "-m", help="Why; kept in the tag.")] = "",
    push: Annotated[bool, typer.Option(help="Push the tag to origin too.")] = False,
) -> None:
    """Put the version back that was in a stage before; twice goes back two versions."""
    with explain_failure():
        root = find_root()
        promoted = roll_back(stage, reason, root)
        tell_promoted(stage, promoted)
        if push:
            push_tags(promoted.tags, root)
    typer.echo("pushed to origin" if push else tell_push(promoted.tags))
