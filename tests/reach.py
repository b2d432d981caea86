"""Python files in, what they import out: read from their text, nothing is run."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
PACKAGE = "defectseg"


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted((SRC / PACKAGE).rglob("*.py"))


def stages() -> list[Path]:
    """Every stage script."""
    return sorted((SRC / "stages").glob("*.py"))


def name_of(path: Path) -> str:
    """Such as defectseg.data.tile."""
    return ".".join(path.relative_to(SRC).with_suffix("").parts)


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_names(path: Path) -> Iterator[str]:
    """Every absolute name that a file imports anywhere, also `module.name` of `from module import`.

    TID252 of ruff keeps relative imports out.
    """
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports(path: Path) -> set[Path]:
    """The modules of the package that a file imports."""
    places = (SRC / Path(*name.split(".")) for name in imported_names(path))
    files = (place.with_suffix(".py") for place in places)
    return {file for file in files if file.is_relative_to(SRC / PACKAGE) and file.is_file()}


def templates(path: Path) -> set[Path]:
    """The files beside a module whose names it has: what it fills in."""
    names = (node.value for node in ast.walk(parse(path)) if isinstance(node, ast.Constant))
    return {path.with_name(name) for name in names if isinstance(name, str) and name[-3:] == ".j2"}


def reached(start: Path) -> set[Path]:
    """A file, and every module of the package that it imports, directly or not."""
    found: set[Path] = set()
    left = {start}
    while left:
        path = left.pop()
        found.add(path)
        left |= imports(path) - found
    return found


def used_files(start: Path) -> set[Path]:
    """What decides what a script does: the modules that it reaches, and their templates."""
    modules = reached(start)
    return modules.union(*(templates(path) for path in modules))


def packages_of(paths: Iterable[Path]) -> set[str]:
    """The top-level packages that some files import."""
    return {name.partition(".")[0] for path in paths for name in imported_names(path)}
