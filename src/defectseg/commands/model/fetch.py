"""`defectseg model fetch`: a version or a stage in, exactly its model file out, its hash beside."""

from pathlib import Path
from typing import Annotated

import typer

from defectseg.commands.failing import explain_failure
from defectseg.commands.model.register import find_root
from defectseg.registry.model_file import save_model
from defectseg.registry.promote import open_version
from defectseg.registry.registry import Placed, read_registry


def fetch(
    name: Annotated[str, typer.Argument(help="A version or a stage, such as v1.0.0 or prod.")],
    out: Annotated[Path, typer.Option(help="Where the file goes; its hash goes to <out>.sha256.")],
) -> None:
    """Write a model through DVC, every hash compared; where one differs nothing is written."""
    with explain_failure():
        root = find_root()
        registry = read_registry(root)
        version = registry.find(name).version
        chosen = Placed(version, registry.versions[version])
        found = save_model(open_version(chosen, root), out)
    typer.echo(f"{out} is {version}, {found.size} bytes, SHA-256 {found.sha256}")
