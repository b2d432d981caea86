"""The command line: `defectseg` and what it can be asked; each command is a file in commands/.

A command is imported when it is asked for: none waits for what only another needs, such as faiss.
"""

import os
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command


class LazyGroup(TyperGroup):
    """Commands that are imported by name: `predict` is the function `predict` of its module."""

    modules: ClassVar[dict[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name, in the order of the list."""
        return [*self.modules, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import one command."""
        if cmd_name not in self.modules:
            return super().get_command(ctx, cmd_name)
        # Before anything imports ONNX Runtime: its wheel keeps a device id and events in ~/.cache.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(getattr(import_module(self.modules[cmd_name]), cmd_name))
        return get_command(alone)


class TopCommands(LazyGroup):
    """`defectseg …`."""

    modules: ClassVar[dict[str, str]] = {
        "predict": "defectseg.commands.predict",
        "serve": "defectseg.commands.serve",
        "bench": "defectseg.commands.bench",
        "scores": "defectseg.commands.scores",
        "folds": "defectseg.commands.folds",
        "experiments": "defectseg.commands.experiments",
        "compare": "defectseg.commands.compare",
        "verify": "defectseg.commands.verify",
        "reproduce": "defectseg.commands.reproduce",
    }


class DataCommands(LazyGroup):
    """`defectseg data …`."""

    modules: ClassVar[dict[str, str]] = {
        "check": "defectseg.commands.check",
        "leaks": "defectseg.commands.leaks",
        "diff": "defectseg.commands.diff",
        "export": "defectseg.commands.export",
    }


class ModelCommands(LazyGroup):
    """`defectseg model …`."""

    modules: ClassVar[dict[str, str]] = {
        "register": "defectseg.commands.model.register",
        "promote": "defectseg.commands.model.promote",
        "show": "defectseg.commands.model.show",
        "list": "defectseg.commands.model.list",
        "fetch": "defectseg.commands.model.fetch",
        "rollback": "defectseg.commands.model.rollback",
    }


class StorageCommands(LazyGroup):
    """`defectseg storage …`."""

    modules: ClassVar[dict[str, str]] = dict.fromkeys(
        ("start", "stop", "status", "check"), "defectseg.commands.storage"
    )


class LockCommands(LazyGroup):
    """`defectseg lock …`."""

    modules: ClassVar[dict[str, str]] = {
        "check": "defectseg.commands.lock.check",
        "merge": "defectseg.commands.lock.merge",
    }


GROUPS: tuple[tuple[str, type[LazyGroup], str], ...] = (
    ("data", DataCommands, "Check, compare and export pictures and their labels."),
    ("model", ModelCommands, "Give models versions, put them into stages, get them from there."),
    ("storage", StorageCommands, "A real S3 storage on this machine for data and models."),
    ("lock", LockCommands, "Check and merge dvc.lock."),
)


def build_app() -> typer.Typer:
    """Every command, those about data below `defectseg data` and so on."""
    top = typer.Typer(
        cls=TopCommands,
        no_args_is_help=True,
        add_completion=False,
        help="Defect segmentation that can be trusted.",
    )
    for name, group, text in GROUPS:
        top.add_typer(typer.Typer(cls=group, no_args_is_help=True, help=text), name=name)
    return top


app = build_app()
