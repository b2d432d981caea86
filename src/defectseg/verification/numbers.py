"""Two JSON documents in, how far apart their numbers are out."""

import re
from collections.abc import Iterator
from math import inf, isnan
from typing import Any

DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")  # of a file whose bytes differ anyway


def greatest_difference(before: Any, after: Any) -> tuple[float, str]:
    """The greatest difference of two numbers at the same place, and that place, dotted.

    Infinite where anything but a number differs: a key, a text, a length. Only texts that are
    digests may differ.
    """
    found = [(0.0, ""), *walk(before, after, "")]
    return max(found, key=lambda one: one[0])


def walk(before: Any, after: Any, place: str) -> Iterator[tuple[float, str]]:
    """The difference at each place."""
    match before, after:
        case dict(), dict() if before.keys() == after.keys():
            for key in before:
                yield from walk(before[key], after[key], f"{place}.{key}" if place else str(key))
        case list(), list() if len(before) == len(after):
            for index, pair in enumerate(zip(before, after, strict=True)):
                yield from walk(*pair, f"{place}[{index}]")
        case (int() | float(), int() | float()) if not has_bool(before, after):
            difference = abs(before - after)
            yield (inf if isnan(difference) else difference), place
        case str(), str() if before == after or is_digest(before, after):
            yield 0.0, place
        case _ if type(before) is type(after) and before == after:
            yield 0.0, place
        case _:
            yield inf, place or "the whole"


def has_bool(*values: Any) -> bool:
    """Truth values are no numbers here."""
    return any(isinstance(value, bool) for value in values)


def is_digest(*texts: str) -> bool:
    """Whether all of them are digests."""
    return all(DIGEST.fullmatch(text) for text in texts)
