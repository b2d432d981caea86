"""A requirement as PEP 508 writes it in; which package, and whether it is needed here, out.

Only the standard library is imported: see packages.py.
"""

import ast
import operator
import os
import platform
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from defectseg.errors import PackagesError

PLATFORM = {
    "os_name",
    "platform_machine",
    "platform_release",
    "platform_system",
    "platform_version",
    "sys_platform",
}
VERSIONS = {"python_full_version", "python_version"}
VERSION_PARTS = 4  # numbers compared; those that a version leaves out are 0
OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
GRAMMAR = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][\w.-]*)\s*(\[(?P<extras>[^]]*)\])?"
    r"(?P<versions>\s*(@\s*\S+\s*|[(<>=!~][^;]*)?)(;\s*(?P<marker>.+))?"
)


@dataclass(frozen=True)
class Requirement:
    """What one package, or our own pyproject.toml, asks for."""

    name: str  # canonical
    extras: frozenset[str]  # canonical
    marker: str  # when it is needed; empty = always
    origin: str  # who asks, for messages


def canonical(name: str) -> str:
    """A name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_requirement(line: str, origin: str) -> Requirement:
    """Read a requirement; its version range is pip's business, not ours.

    Raises:
        PackagesError: The line is not a requirement.
    """
    match = GRAMMAR.fullmatch(line)
    if match is None:
        raise PackagesError(f"{origin} requires {line!r}, which is not a requirement of PEP 508")
    extras = (extra.strip() for extra in (match["extras"] or "").split(","))
    return Requirement(
        name=canonical(match["name"]),
        extras=frozenset(canonical(extra) for extra in extras if extra),
        marker=(match["marker"] or "").strip(),
        origin=origin,
    )


def is_needed(requirement: Requirement, extras: frozenset[str] = frozenset()) -> bool:
    """Tell whether a requirement holds here, given the extras that were asked of its origin.

    A marker that names a platform never does: what only one platform needs is not pinned.

    Raises:
        PackagesError: The marker cannot be read.
    """
    if not requirement.marker:
        return True
    try:
        marker = ast.parse(requirement.marker, mode="eval").body  # markers are a subset of Python
        if any(isinstance(node, ast.Name) and node.id in PLATFORM for node in ast.walk(marker)):
            return False
        python = describe_python()
        return any(holds(marker, python | {"extra": extra}) for extra in extras or {""})
    except (SyntaxError, ValueError) as error:
        raise PackagesError(
            f"{requirement.origin} requires {requirement.name} when `{requirement.marker}`, "
            f"a marker that cannot be read: {error}"
        ) from error


def describe_python() -> dict[str, str]:
    """What a marker may ask about the Python that runs, by PEP 508's names."""
    return {
        "implementation_name": sys.implementation.name,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_system": platform.system(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def holds(marker: ast.expr, values: Mapping[str, str]) -> bool:
    """Evaluate a marker without running it: anything but PEP 508's grammar is a ValueError."""
    match marker:
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(holds(part, values) for part in parts)
        case ast.BoolOp(op=ast.Or(), values=parts):
            return any(holds(part, values) for part in parts)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            return compare_terms(left, op, right, values)
    raise ValueError(f"`{ast.unparse(marker)}` is not a comparison of PEP 508")


def compare_terms(
    left: ast.expr, op: ast.cmpop, right: ast.expr, values: Mapping[str, str]
) -> bool:
    """Compare two terms: versions as numbers, extras by their canonical names, others as text."""
    names = {term.id for term in (left, right) if isinstance(term, ast.Name)}
    texts = read_term(left, values), read_term(right, values)
    if "extra" in names:
        return OPERATORS[type(op)](*map(canonical, texts))
    if names & VERSIONS and not isinstance(op, ast.In | ast.NotIn):
        return OPERATORS[type(op)](*read_versions(*texts))
    return OPERATORS[type(op)](*texts)


def read_term(term: ast.expr, values: Mapping[str, str]) -> str:
    """The text that a term of a marker stands for."""
    match term:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in values:
            return values[name]
    raise ValueError(f"`{ast.unparse(term)}` is neither a text nor a variable of PEP 508")


def read_versions(left: str, right: str) -> tuple[list[int], list[int]]:
    """Two versions as numbers of equal count: `3.11` is `3.11.0`, and `3.*` compares only the 3."""
    count = right.count(".") if right.endswith(".*") else VERSION_PARTS
    return read_numbers(left)[:count], read_numbers(right.removesuffix(".*"))[:count]


def read_numbers(version: str) -> list[int]:
    """The numbers of a version, filled up with zeros; the tail of `3.13.0rc1` is ignored."""
    match = re.match(r"\d+(\.\d+)*", version)
    if match is None:
        raise ValueError(f"{version!r} is not a version")
    numbers = [int(part) for part in match[0].split(".")]
    return numbers + [0] * (VERSION_PARTS - len(numbers))
