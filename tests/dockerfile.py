"""The Dockerfile in, its steps done in a folder that stands for the image's file system out."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reach import ROOT

CONTINUED = re.compile(r"\\\n\s*")
PLACES = re.compile(r"(?<![\w/.])/(opt|build|models)\b")  # what is absolute in the image
SYSTEM = "/usr/local/bin:/usr/bin:/bin"
TOOLS = Path(sys.executable).parent  # Python with pip, as the base image has them


@dataclass
class Built:
    """What a build leaves: files below `root`, and how to start it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def place(self, text: str) -> str:
        """Absolute paths of the image as paths below the root."""
        return PLACES.sub(rf"{self.root}/\1", text)


def read_steps() -> Iterator[tuple[str, str]]:
    """(instruction, the rest) of each line of the Dockerfile, comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith("#")]
    for line in CONTINUED.sub(" ", "\n".join(kept)).splitlines():
        if line.strip():
            instruction, _, rest = line.partition(" ")
            yield instruction, rest.strip()


def build(context: Path, root: Path, target: str) -> Built:
    """Do what `docker build --target` would, in one folder for all stages of the build.

    The base image is this Python. RUN and COPY are done as they are written, ENV counts for what
    comes after it.
    """
    image, wanted = Built(root), stages_of(target)
    stage = ""
    for instruction, rest in read_steps():
        if instruction == "FROM":
            stage = rest.split()[-1]
            image.environment = dict(image.environment) if rest.startswith("service") else {}
        elif stage in wanted:
            do(image, context, instruction, rest)
    return image


def stages_of(target: str) -> list[str]:
    """The stages that one is built from; `build` gives its files to `service`."""
    froms = [rest.split() for instruction, rest in read_steps() if instruction == "FROM"]
    bases = {words[-1]: words[0] for words in froms}
    found = [target]
    while bases[found[-1]] in bases:
        found.append(bases[found[-1]])
    return ["build", *reversed(found)]


def do(image: Built, context: Path, instruction: str, rest: str) -> None:
    """One step."""
    match instruction:
        case "RUN":
            environment = image.environment | {"PATH": f"{TOOLS}:{SYSTEM}"} | network()
            line = image.place(rest)
            subprocess.run(["sh", "-euc", line], env=environment, cwd=image.root, check=True)
        case "COPY" if rest.startswith("--from=build "):
            keep_only(image, rest.split()[1:])
        case "COPY":
            *sources, to = rest.split()
            for source in sources:
                copy(context / source, Path(image.place(to)), to.endswith("/"))
        case "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                image.environment[name] = image.place(value).replace("$PATH", SYSTEM)
        case "USER":
            image.user = rest
        case "CMD":
            image.command = json.loads(rest)
        case "HEALTHCHECK":
            image.health = json.loads(rest.partition("CMD ")[2])
        case "ARG" | "LABEL" | "EXPOSE" | "STOPSIGNAL":
            pass
        case _:
            raise ValueError(f"the Dockerfile has {instruction}, which this cannot do")


def network() -> dict[str, str]:
    """How pip finds its packages here; a builder of images has its own settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "SSL_", "REQUESTS_")) or name.lower().endswith("_proxy")
    }


def keep_only(image: Built, paths: list[str]) -> None:
    """The next stage has only what it copies, at the place where it was."""
    source, to = paths
    if source != to:
        raise ValueError(f"a virtual environment cannot move from {source} to {to}")
    kept = Path(image.place(source))
    for path in image.root.iterdir():
        if not kept.is_relative_to(path):
            shutil.rmtree(path)


def copy(source: Path, to: Path, into: bool) -> None:
    """As COPY does: the content of a folder, or a file."""
    target = to / source.name if into else to
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)
