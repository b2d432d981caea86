"""A large JSON file in, the items of its lists out, one at a time.

The text is in memory as a whole, its items are not: lists of numbers take many times their text.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from defectseg.errors import LayoutError

MAX_BYTES = 2 * 1024**3  # of one file
SPACE = re.compile(r"[ \t\r\n]*")


def read_lists(path: Path, lists: Mapping[str, Callable[[int, Any], None]]) -> dict[str, Any]:
    """Read a JSON object, and hand the items of some of its lists on; the other keys come back.

    Args:
        lists: Key → what takes the position and the content of each item, in their order.

    Raises:
        LayoutError: The file is no JSON object, has a key twice, is too large, or lacks a list.
    """
    rest: dict[str, Any] = {}
    seen = set()
    try:
        cursor = _Cursor(_read_text(path))
        cursor.expect("{")
        for _ in cursor.items("}"):
            key = cursor.value()
            if not isinstance(key, str) or key in seen:
                raise ValueError(f"the key {str(key)[:40]!r} is no text or there twice")
            seen.add(key)
            cursor.expect(":")
            if key not in lists:
                rest[key] = cursor.value()
                continue
            cursor.expect("[", f"{key!r} is no list: ")
            for number, _ in enumerate(cursor.items("]")):
                lists[key](number, cursor.value())
        cursor.expect_end()
    except (ValueError, RecursionError) as error:
        raise LayoutError(f"{path.name} is no good JSON: {error}; export it again") from error
    missing = [key for key in lists if key not in seen]
    if missing:
        raise LayoutError(f"{path.name} has no list {', '.join(map(repr, missing))}")
    return rest


class _Cursor:
    """A place in a JSON text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.decoder = json.JSONDecoder(
            object_pairs_hook=_refuse_twice, parse_constant=_refuse_constant
        )

    def skip_space(self) -> None:
        space = SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at

    def take(self, sign: str) -> bool:
        """Step over a sign if it is the next one."""
        self.skip_space()
        is_next = self.text.startswith(sign, self.at)
        self.at += len(sign) if is_next else 0
        return is_next

    def expect(self, sign: str, why: str = "") -> None:
        """Step over a sign."""
        if not self.take(sign):
            raise ValueError(f"{why}expected {sign} at character {self.at}")

    def expect_end(self) -> None:
        self.skip_space()
        if self.at < len(self.text):
            raise ValueError(f"expected nothing more at character {self.at}")

    def value(self) -> Any:
        """Step over a value."""
        self.skip_space()
        value, self.at = self.decoder.raw_decode(self.text, self.at)
        return value

    def items(self, end: str) -> Iterator[None]:
        """Stop before each item of an object or list, and step over its end."""
        if self.take(end):
            return
        while True:
            yield
            if self.take(end):
                return
            self.expect(",")


def _read_text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ValueError(f"{size} bytes, more than {MAX_BYTES}")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"it cannot be read: {error}") from error


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"an object with one key twice: {', '.join(key for key, _ in pairs)[:80]}")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name}, which is no number of JSON")
