"""labelmap.txt of Pascal VOC and CVAT in, the label of each colour out; masks drawn in them.

    # label:color_rgb:parts:actions
    background:0,0,0::
    crack:128,0,0::

Shapes: H rows, W columns, L labels; number 0 is the background, 1..L are labels.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from defectseg.data.labels.label import to_label
from defectseg.data.picture import decode_colours, decode_mask, read_header
from defectseg.data.tile import CLEAN
from defectseg.errors import DataError, LayoutError

LABEL_MAP = "labelmap.txt"
VOID = (224, 224, 192)  # Pascal VOC draws the rim of an object in it: neither object nor background
VOID_VALUE = 255  # the same in grey masks and palettes
UNKNOWN = 255  # number of a colour that has no label
MAX_LABELS = 254
MAX_BYTES = 1_000_000  # of labelmap.txt
BLOCK = 1 << 20  # pixels looked up at once: bounds the memory
SHOWN = 6

Colour = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Which label a colour, or a grey value, stands for."""

    labels: tuple[str, ...]  # L names as `to_label` makes them, in the order of the file
    colours: npt.NDArray[np.uint32]  # packed by `pack`, ascending
    numbers: npt.NDArray[np.uint8]  # 0..L of each of the colours
    greys: npt.NDArray[np.uint8]  # (256,) 0..L or UNKNOWN of each value of a grey mask

    def number(self, stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """What `read_stored` gives of a mask → numbers (H, W) in 0..L.

        Raises:
            DataError: Some colours or grey values have no label; shows the first ones.
        """
        return self.number_greys(stored) if stored.ndim == 2 else self.number_colours(stored)

    def number_colours(self, colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Colours (H, W, 3) in 0..255 → numbers (H, W) in 0..L.

        Raises:
            DataError: Some colours have no label; shows the first ones.
        """
        numbers = np.empty(colours.shape[:2], dtype=np.uint8)
        rows = max(1, BLOCK // colours.shape[1])
        for top in range(0, len(colours), rows):
            packed = pack(colours[top : top + rows])
            at = np.searchsorted(self.colours, packed).clip(max=len(self.colours) - 1)
            known = self.colours[at] == packed
            numbers[top : top + rows] = np.where(known, self.numbers[at], np.uint8(UNKNOWN))
        unknown = numbers == UNKNOWN
        if unknown.any():
            raise DataError(
                f"colours {show_colours(colours[unknown])} are in no line of {LABEL_MAP}; give "
                "each a line there, and export masks without smoothing, as PNG"
            )
        return numbers

    def number_greys(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Grey values (H, W) in 0..255 → numbers (H, W) in 0..L: a value is a position in the file.

        Raises:
            DataError: Some values have no label. 255 alone may be a defect as well as void.
        """
        greys = self.greys
        used = np.bincount(values.ravel(), minlength=256) > 0
        if used[1:VOID_VALUE].any() and greys[VOID_VALUE] == UNKNOWN:
            greys = np.append(greys[:VOID_VALUE], np.uint8(0))
        unknown = np.flatnonzero(used & (greys == UNKNOWN)).tolist()
        if unknown:
            raise DataError(
                f"grey values {show_first(unknown)} are no positions in {LABEL_MAP}, whose first "
                "label is background, and no colours of it"
            )
        return greys[values]


@dataclass(frozen=True)
class ColourMask:
    """The drawing of a mask whose colours, or grey values, a label map names."""

    path: Path
    label_map: LabelMap
    size: tuple[int, int]  # width and height, upright, px
    names: frozenset[str]

    def draw(self, size: tuple[int, int], index: Mapping[str, int]) -> npt.NDArray[np.uint8]:
        """See `Drawing.draw`."""
        numbers = self.label_map.number(read_stored(self.path.read_bytes(), has_label_map=True))
        if numbers.shape != size[::-1]:
            height, width = numbers.shape
            raise DataError(f"the mask is {width}×{height}, the picture {size[0]}×{size[1]}")
        table = np.zeros(256, dtype=np.uint8)
        for number, label in enumerate(self.label_map.labels, start=1):
            table[number] = index.get(label, 0)
        return table[numbers]


def to_colour_mask(path: Path, stored: npt.NDArray[np.uint8], label_map: LabelMap) -> ColourMask:
    """Find out which labels a mask uses.

    Raises:
        DataError: A colour has no label.
    """
    numbers = label_map.number(stored)
    used = np.flatnonzero(np.bincount(numbers.ravel())[1:])
    names = frozenset(label_map.labels[number] for number in used)
    return ColourMask(path, label_map, (numbers.shape[1], numbers.shape[0]), names)


def read_stored(content: bytes, has_label_map: bool) -> npt.NDArray[np.uint8]:
    """Decode a mask to grey values (H, W) or colours (H, W, 3).

    A palette gives colours where a label map can name them, else its indexes.

    Raises:
        DataError: See `decode_mask` and `decode_colours`.
    """
    mode = read_header(content).mode
    is_grey = mode in {"1", "L"} if has_label_map else mode not in {"RGB", "RGBA"}
    return decode_mask(content) if is_grey else decode_colours(content)


def read_label_map(path: Path) -> LabelMap:
    """Read labelmap.txt.

    Raises:
        LayoutError: It is no such file; the message lists every line that is wrong.
    """
    labels: dict[str, int] = {}
    numbers: dict[Colour, int] = {(0, 0, 0): 0, VOID: 0}
    named: dict[Colour, str] = {VOID: CLEAN}
    positions: list[int] = []
    wrong = []
    for line, text in _read_lines(path):
        try:
            label, colour = _read_line(text)
            if named.setdefault(colour or VOID, label) != label and colour not in {None, VOID}:
                raise LayoutError(f"has the colour of {named[colour or VOID]}")
        except LayoutError as error:
            wrong.append(f"  line {line}: {text[:60]!r} {error}")
            continue
        is_label = label != CLEAN and colour != VOID
        number = labels.setdefault(label, len(labels) + 1) if is_label else 0
        positions.append(number)
        if colour:
            numbers[colour] = number
    if wrong:
        raise LayoutError("\n".join([f"{LABEL_MAP}: expected lines label:r,g,b::", *wrong[:20]]))
    if not labels or len(labels) > MAX_LABELS:
        raise LayoutError(f"{LABEL_MAP} has {len(labels)} labels; expected 1 to {MAX_LABELS}")
    return _to_label_map(tuple(labels), numbers, positions)


def _to_label_map(
    labels: tuple[str, ...], numbers: Mapping[Colour, int], positions: list[int]
) -> LabelMap:
    greys = np.full(256, UNKNOWN, dtype=np.uint8)
    for value in range(256):
        greys[value] = numbers.get((value, value, value), UNKNOWN)
    known = positions[:VOID_VALUE]
    if known[0] == 0:
        greys[: len(known)] = known
    else:  # nobody knows whether positions count from 0 or from 1
        greys[1 : len(known) + 1] = UNKNOWN
    packed = pack(np.array(list(numbers), dtype=np.uint8))
    order = np.argsort(packed)
    return LabelMap(labels, packed[order], np.array([*numbers.values()], np.uint8)[order], greys)


def _read_lines(path: Path) -> Iterable[tuple[int, str]]:
    """The lines that say something, with their numbers from 1."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise LayoutError(f"{LABEL_MAP} cannot be read: {error}; repair or remove it") from error
    if len(content) > MAX_BYTES:
        raise LayoutError(f"{LABEL_MAP} has more than {MAX_BYTES} bytes; expected a line a label")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise LayoutError(f"{LABEL_MAP} is no UTF-8 text: {error}; save it as UTF-8") from error
    stripped = ((number, line.strip()) for number, line in enumerate(lines, start=1))
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def _read_line(text: str) -> tuple[str, Colour | None]:
    """The label and the colour of one line; a label may have none."""
    name, _, rest = text.partition(":")
    colour = rest.partition(":")[0].strip()
    label = to_label(name)
    if not colour:
        return label, None
    found = re.fullmatch(r"(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})", colour)
    if not found or max(map(int, found.groups())) > 255:
        raise LayoutError(f"has the colour {colour[:30]!r}; expected three numbers 0..255")
    red, green, blue = map(int, found.groups())
    return label, (red, green, blue)


def pack(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Colours (…, 3) in 0..255 → one number each (…)."""
    wide = colours.astype(np.uint32)
    packed = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return np.asarray(packed, dtype=np.uint32)


def show_colours(colours: npt.NDArray[np.uint8]) -> str:
    """The distinct colours (N, 3), as a message shows them."""
    distinct = np.unique(pack(colours)).tolist()
    return show_first([(each >> 16, each >> 8 & 255, each & 255) for each in distinct])


def show_first(found: list[int] | list[Colour]) -> str:
    """The first of many, and how many there are."""
    rest = f", … ({len(found)} of them)" if len(found) > SHOWN else ""
    return ", ".join(map(str, found[:SHOWN])) + rest
