"""A commit in, the machine that trained its model beside this one out."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from defectseg.errors import RevisionError
from defectseg.machine import describe_hardware
from defectseg.revisions.revision import Revision

RUN = "models/unet.run.json"
HARDWARE = ("cpu", "cores", "memory_gib", "system", "device", "accelerator", "threads")
VERSIONS = ("python", "torch", "numpy")


def read_facts(revision: Revision, folder: Path) -> dict[str, tuple[Any, Any]]:
    """Name of a fact → what it was when the model was trained, what it is here; None: not known."""
    then, now = read_run(revision, folder), describe_here()
    return {
        name: (section(then, part).get(name), now.get(name))
        for part, names in (("hardware", HARDWARE), ("environment", VERSIONS))
        for name in names
    }


def read_run(revision: Revision, folder: Path) -> dict[str, Any]:
    """The record of the training; empty where it cannot be had or is damaged."""
    try:
        place = revision.fetch(RUN, folder)
        content = json.loads(place.read_text("utf-8")) if place else {}
    except (RevisionError, OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def describe_here() -> dict[str, Any]:
    """This machine, by the same names."""
    found: dict[str, Any] = {**describe_hardware(), "python": platform.python_version()}
    for name in ("torch", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def section(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of the record."""
    part = content.get(name)
    return part if isinstance(part, dict) else {}
