"""pyproject.toml and the installed packages in, requirements.txt with their exact versions out.

Only the standard library is imported: this has to say that a package is missing when every one is.
"""

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from typing import Literal

from defectseg.errors import PackagesError
from defectseg.files import write_atomically
from defectseg.requirement import Requirement, is_needed, parse_requirement

OnMismatch = Literal["freeze", "fail"]

PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)")


@dataclass(frozen=True)
class PackageCheck:
    """What came of comparing the installed packages with requirements.txt."""

    requirements: Path
    packages: int  # how many are needed and installed
    differences: tuple[str, ...]  # those that the file had before; empty = it was left untouched

    def summary(self) -> str:
        """One line, and one more for each difference."""
        if not self.differences:
            return f"{self.packages} packages, as {self.requirements} says"
        first = f"{self.packages} packages, {self.requirements} written anew:"
        return "\n  ".join([first, *self.differences])


def read_packages(
    project: Path, extras: Sequence[str] = (), path: Sequence[str] | None = None
) -> dict[str, str]:
    """Find the installed version of everything that a pyproject.toml's dependencies lead to.

    Left out, with all that only they lead to: what one platform needs, such as CUDA's wheels.

    Args:
        project: A pyproject.toml.
        extras: Those of its optional dependencies that are wanted as well.
        path: Folders that hold installed packages; None = where Python looks for imports.

    Returns:
        Canonical name → version without its local tag (`+cpu`), sorted by name.

    Raises:
        PackagesError: Some are not installed and so have no version; names all of them.
    """
    packages: dict[str, str] = {}
    missing: dict[str, str] = {}
    asked: dict[str, frozenset[str]] = {}  # extras of each package met so far
    todo = read_dependencies(project, extras)
    while todo:
        requirement = todo.pop()
        name = requirement.name
        wanted = asked.get(name, frozenset()) | requirement.extras
        if asked.get(name) == wanted:
            continue
        asked[name] = wanted
        found = find_distribution(name, sys.path if path is None else path)
        if found is None:
            missing[name] = requirement.origin
            continue
        packages[name] = found.version.partition("+")[0]
        todo += parse_needed(found.requires or [], name, wanted)
    if missing:
        raise PackagesError(describe_missing(missing))
    return dict(sorted(packages.items()))


def read_dependencies(project: Path, extras: Sequence[str] = ()) -> list[Requirement]:
    """Read the dependencies, and those of some extras, that a pyproject.toml has and needs here."""
    try:
        table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        declared = list(table["dependencies"])
        for extra in extras:
            declared += table["optional-dependencies"][extra]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        wanted = " and ".join(["dependencies", *(f"optional-dependencies.{e}" for e in extras)])
        raise PackagesError(f"{project}: project.{wanted} cannot be read: {error}") from error
    return parse_needed(declared, project.name, frozenset())


def parse_needed(lines: Sequence[str], origin: str, extras: frozenset[str]) -> list[Requirement]:
    """Read what a package requires here, given the extras that were asked of it."""
    requirements = [parse_requirement(line, origin) for line in lines]
    return [requirement for requirement in requirements if is_needed(requirement, extras)]


def find_distribution(name: str, path: Sequence[str]) -> Distribution | None:
    """Find the package that an import would find: the first on the path."""
    for distribution in Distribution.discover(name=name, path=list(path)):
        # An interrupted uninstall leaves a folder without it.
        if distribution.read_text("METADATA") or distribution.read_text("PKG-INFO"):
            return distribution
    return None


def describe_missing(missing: Mapping[str, str]) -> str:
    """Say which packages are not installed (name → who asks for it) and how to get them."""
    lines = [f"{name} (for {origin})" for name, origin in sorted(missing.items())]
    return (
        "\n  ".join([f"not installed in {sys.prefix}:", *lines])
        + "\nIs .venv active? If it is, run `make -B setup`"  # -B: no stamp sees a package go
        + ", or for a dependency new in pyproject.toml "
        "`pip install --editable '.[pipeline,service]'`"
    )


def check_packages(
    packages: Mapping[str, str], requirements: Path, on_mismatch: OnMismatch
) -> PackageCheck:
    """Compare installed versions with requirements.txt; the same = the file is left untouched.

    Args:
        packages: Canonical name → version.
        requirements: A file of `name==version` lines.
        on_mismatch: When they differ: "freeze" rewrites the file, "fail" raises.

    Raises:
        PackagesError: They differ, and that is to fail; names every difference.
    """
    differences = find_differences(packages, requirements)
    if differences and on_mismatch == "fail":
        raise PackagesError(
            "\n  ".join([f"{requirements} does not say what is installed:", *differences])
            + "\nRun `make -B setup` to install what it says, or accept what is installed with "
            "check_packages.on_mismatch: freeze in params.yaml"
        )
    if differences:
        with write_atomically(requirements) as file:
            file.writelines(f"{name}=={version}\n" for name, version in sorted(packages.items()))
    return PackageCheck(requirements, len(packages), tuple(differences))


def find_differences(packages: Mapping[str, str], requirements: Path) -> list[str]:
    """Name every difference between installed versions (by canonical name) and requirements.txt."""
    file = requirements.name
    if not requirements.is_file():
        return [f"{file}: no such file"]
    pins, differences = read_pins(requirements)
    for name in sorted(packages.keys() | pins.keys()):
        if name not in packages:
            differences.append(f"{name}: {file} says {pins[name]}, no longer needed")
        elif name not in pins:
            differences.append(f"{name}: not in {file}, installed is {packages[name]}")
        elif pins[name] != packages[name]:
            differences.append(f"{name}: {file} says {pins[name]}, installed is {packages[name]}")
    return differences


def read_pins(requirements: Path) -> tuple[dict[str, str], list[str]]:
    """Read name → version from `name==version` lines, and name the lines that are anything else."""
    pins: dict[str, str] = {}
    others = []
    lines = requirements.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        pin = PIN.fullmatch(text)
        if pin and pin["name"] not in pins:
            pins[pin["name"]] = pin["version"]
        elif text:
            fault = "names a package again" if pin else "is not a canonical name==version"
            others.append(f"{requirements.name} line {number}: `{text}` {fault}")
    return pins, others
