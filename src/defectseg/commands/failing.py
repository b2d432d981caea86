"""An error raised on purpose in, one message and an exit status out."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from defectseg.errors import DefectsegError


@contextmanager
def explain_failure(status: int = 1) -> Iterator[None]:
    """End a command with a message, not a traceback, when its input is wrong."""
    try:
        yield
    except (DefectsegError, OSError) as error:  # such as a file that is gone or a full disk
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(status) from error
