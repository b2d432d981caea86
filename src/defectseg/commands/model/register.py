"""`defectseg model register`: a version and a commit in, a tag out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure


def register(
    version: Annotated[str, typer.Argument(help="Such as v1.0.0.")],
    rev: Annotated[str, typer.Option(help="The commit whose model it is.")] = "HEAD",
    reason: Annotated[str, typer.Option("--message", "-m", help="Why; kept in the tag.")] = "",
    push: Annotated[bool, typer.Option(help="Push the tag to origin too.")] = False,
) -> None:
    """Give the model of a commit a version, if the commit makes it and it can be fetched."""
    from defectseg.registry.register import register as give_version
    from defectseg.registry.tags import push_tags

    with explain_failure():
        tag = give_version(version, rev, reason, find_root())
        typer.echo(f"{tag} is made")
        if push:
            push_tags((tag,), find_root())
    typer.echo("pushed to origin" if push else tell_push((tag,)))


def find_root() -> Path:
    """The folder of the repository around us."""
    from defectseg.revisions.process import ask

    return Path(ask("git", "rev-parse", "--show-toplevel").removesuffix("\n"))


def tell_push(tags: Sequence[str]) -> str:
    """How others get tags."""
    named = " ".join(f"'{tag}'" for tag in tags)
    return f"others have it after `git push origin {named}`, or `git push origin --tags`"
