"""The text of a YAML file in, its content as DVC reads it out, and the text that DVC would write.

DVC reads YAML 1.2, where `off` is a word and 1e-3 a number; PyYAML reads 1.1, where `off` is False
and 1e-3 a word. What DVC wrote has to be read as DVC does.
"""

import re
from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from defectseg.errors import RevisionError

MOST = 500_000  # values in one file
DEEPEST = 50  # levels within each other
BRACKET = re.compile(rb"[][{}]")
RUN = re.compile(rb"([-?:]\s+){%d}" % DEEPEST)  # lists and keys opened on one line


def read_mapping(text: bytes, name: str) -> dict[str, Any]:
    """The content of a YAML file that has keys at its top; empty for an empty file.

    Raises:
        RevisionError: It is no such file.
    """
    if is_deep(text):
        raise RevisionError(f"{name} cannot be read: it is nested deeper than {DEEPEST} levels")
    try:
        content = YAML(typ="safe").load(text.decode("utf-8")) or {}
    except (UnicodeDecodeError, YAMLError, ValueError, TypeError, RecursionError) as error:
        first = str(error).strip().splitlines()[0]
        raise RevisionError(f"{name} cannot be read as YAML: {first}") from error
    if not isinstance(content, dict):
        raise RevisionError(f"{name} has a {type(content).__name__} at its top; expected keys")
    refuse_growth(content, name)
    return content


def is_deep(text: bytes) -> bool:
    """Whether it opens more than `DEEPEST` levels at once: the parser would take minutes."""
    depth = 0
    for bracket in BRACKET.findall(text):
        depth = depth + 1 if bracket in b"[{" else max(depth - 1, 0)
        if depth > DEEPEST:
            return True
    return bool(RUN.search(text))


def refuse_growth(content: Any, name: str) -> None:
    """Refuse what refers to itself, or grows out of references: comparing it would never end.

    Raises:
        RevisionError: It has more than `MOST` values.
    """
    waiting, seen = [content], 0
    while waiting:
        value = waiting.pop()
        seen += 1
        if seen > MOST:
            raise RevisionError(f"{name} has more than {MOST} values, or one within itself")
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def write_mapping(content: Mapping[str, Any]) -> str:
    """The text that DVC 3.67.1 writes for it, line breaks and all.

    Raises:
        RevisionError: It has what YAML cannot write.
    """
    yaml = YAML()
    yaml.default_flow_style = False
    stream = StringIO()
    try:
        yaml.dump(dict(content), stream)
    except (YAMLError, RecursionError, TypeError, ValueError) as error:
        raise RevisionError(f"what was read cannot be written as YAML: {error}") from error
    return stream.getvalue()
