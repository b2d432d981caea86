"""Facts and findings in, one self-contained HTML page out that a person looks at.

The page needs no network and no script, and has at most `PICTURES` thumbnails and `NAMES` names a
list, so that it stays below about 5 MB for any number of pictures; data_quality.json has all names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from defectseg.data.quality.checks import CHECKS
from defectseg.data.quality.class_balance import ClassCount, count_classes
from defectseg.data.quality.findings import Facts, Finding, LeftOut
from defectseg.data.quality.measures import Measure
from defectseg.data.quality.thumbnails import Thumbnail, Thumbnails, colour_of
from defectseg.data.tile import CLEAN, Tile, TileSet
from defectseg.files import write_atomically

TEMPLATE = Path(__file__).with_name("report.html.j2")
PICTURES = 420  # thumbnails of a page, about 9 kB each
SHOWN = 12  # pictures or pairs of one finding that are drawn
WORST = 6  # pairs of the least agreement that are drawn
EXAMPLES = 6  # pictures of each class in the overview
CLASSES = 31  # most classes in the overview
NAMES = 2000  # names of one list
BINS = 40  # of a histogram
HISTOGRAMS: tuple[tuple[str, str, Callable[[Measure], float]], ...] = (
    ("Width", "px", lambda m: m.width),
    ("Height", "px", lambda m: m.height),
    ("Brightness", "mean grey, 0 to 255", lambda m: m.brightness),
    ("Contrast", "standard deviation of grey", lambda m: m.contrast),
    ("Sharpness", "fine over coarse detail", lambda m: m.sharpness),
)


@dataclass(frozen=True)
class Shown:
    """Two pictures side by side, or a single one, with what is said about them."""

    pictures: tuple[Thumbnail, ...]
    detail: str


@dataclass(frozen=True)
class Names:
    """A list of names that is cut."""

    names: tuple[str, ...]
    more: int  # how many are not in it


@dataclass(frozen=True)
class Section:
    """One finding as the page shows it."""

    finding: Finding
    title: str
    about: str
    count: str  # such as `3 pairs`
    shown: tuple[Shown, ...]
    rows: tuple[tuple[str, str], ...]  # file and detail, of files that are no tiles
    names: Names


@dataclass(frozen=True)
class Histogram:
    """How one measure is distributed."""

    title: str
    unit: str
    bars: tuple[float, ...]  # of the highest, 0..1
    counts: tuple[int, ...]  # pictures
    least: str
    median: str
    most: str


def write_report(
    path: Path,
    facts: Facts,
    findings: Sequence[Finding],
    tiles: TileSet,
    left_out: Sequence[LeftOut] = (),
) -> None:
    """Write the page.

    Args:
        path: An HTML file.
        facts: What was measured.
        findings: Of the checks and of the single files.
        tiles: Whose pictures are drawn.
        left_out: Files that are no tiles, and why.
    """
    thumbnails = Thumbnails(tiles, PICTURES)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    text = template.render(_gather(facts, findings, left_out, thumbnails))
    with write_atomically(path) as file:
        file.write(text)


def _gather(
    facts: Facts, findings: Sequence[Finding], left_out: Sequence[LeftOut], thumbnails: Thumbnails
) -> dict[str, Any]:
    """Everything that the template names."""
    levels = [finding.severity for finding in findings]
    ordered = sorted(findings, key=lambda finding: finding.severity != "error")
    balance = count_classes(facts)
    named = {finding.check for finding in findings}
    return {
        "errors": levels.count("error"),
        "warnings": levels.count("warning"),
        "facts": facts,
        "surfaces": len({tile.surface for tile in facts.tiles}),
        "sections": [_show(finding, thumbnails) for finding in ordered],
        "quiet": [_title(check.name) for check in CHECKS if check.name not in named],
        "balance": balance,
        "largest": _largest(balance),
        "colours": {name: colour_of(index) for index, name in enumerate(facts.classes, start=1)},
        "histograms": [_bin(facts, *each) for each in HISTOGRAMS if facts.tiles],
        "worst": [] if "label_agreement" in named else _show_worst(facts, thumbnails),
        "nearest": [
            Shown(
                (thumbnails.draw(pair.first), thumbnails.draw(pair.second)),
                f"similarity {pair.similarity:.3f}" + (", mirrored" * any(pair.mirrored)),
            )
            for pair in facts.nearest
        ],
        "left_out": left_out[:NAMES],
        "left_out_more": max(0, len(left_out) - NAMES),
        "overview": _overview(facts, thumbnails),
    }


def _show(finding: Finding, thumbnails: Thumbnails) -> Section:
    known = {check.name: check.about for check in CHECKS}
    names = Names(finding.pictures[:NAMES], max(0, len(finding.pictures) - NAMES))
    is_drawn = finding.check in known
    return Section(
        finding=finding,
        title=_title(finding.check),
        about=known.get(finding.check, ""),
        count=_count(finding),
        shown=_draw(finding, thumbnails) if is_drawn else (),
        rows=() if is_drawn else tuple(zip(names.names, _details(finding), strict=False)),
        names=names,
    )


def _draw(finding: Finding, thumbnails: Thumbnails) -> tuple[Shown, ...]:
    if finding.pairs:
        details = finding.pair_details or ("",) * len(finding.pairs)
        pairs = zip(finding.pairs, details, strict=True)
        return tuple(
            Shown((thumbnails.draw(pair[0]), thumbnails.draw(pair[1])), detail)
            for pair, detail in islice(pairs, SHOWN)
        )
    pictures = zip(finding.pictures, _details(finding), strict=True)
    return tuple(Shown((thumbnails.draw(n),), detail) for n, detail in islice(pictures, SHOWN))


def _details(finding: Finding) -> Sequence[str]:
    return finding.details or ("",) * len(finding.pictures)


def _count(finding: Finding) -> str:
    number, word = len(finding.pictures), "picture"
    if finding.pairs:
        number, word = len(finding.pairs), "pair"
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""


def _title(check: str) -> str:
    return check.replace("_", " ").capitalize()


def _largest(balance: Sequence[ClassCount]) -> dict[str, int]:
    """The full lengths of the bars; at least 1, so that an empty set divides by something."""
    return {
        name: max([1, *(getattr(row, name) for row in balance)])
        for name in ("pictures", "surfaces", "defect_px")
    }


def _bin(facts: Facts, title: str, unit: str, value: Callable[[Measure], float]) -> Histogram:
    values = np.array([value(facts.measures[tile.id]) for tile in facts.tiles], dtype=float)
    counts, _ = np.histogram(values, bins=BINS)
    digits = 0 if values.max() >= 20 else 2
    least, median, most = (f"{each:.{digits}f}" for each in np.percentile(values, (0, 50, 100)))
    bars = counts / counts.max()
    return Histogram(title, unit, tuple(bars.tolist()), tuple(counts.tolist()), least, median, most)


def _show_worst(facts: Facts, thumbnails: Thumbnails) -> list[Shown]:
    known = [each for each in facts.agreement.compared if not np.isnan(each.dice)]
    worst = sorted(known, key=lambda each: (each.dice, each.first))[:WORST]
    return [
        Shown((thumbnails.draw(each.first), thumbnails.draw(each.second)), f"Dice {each.dice:.2f}")
        for each in worst
    ]


def _overview(facts: Facts, thumbnails: Thumbnails) -> list[tuple[str, list[Thumbnail]]]:
    """Some pictures of each class, of as many surfaces as there are."""
    sheet = []
    for name in (*facts.classes[:CLASSES], CLEAN):
        members = [tile for tile in facts.tiles if tile.defect_class == name]
        if members:
            chosen = _spread(members)
            sheet.append((name, [thumbnails.draw(tile.id) for tile in chosen]))
    return sheet


def _spread(tiles: Sequence[Tile]) -> list[Tile]:
    """One picture each of evenly spread surfaces."""
    first = list({tile.surface: tile for tile in reversed(tiles)}.values())
    first.sort(key=lambda tile: tile.id)
    count = min(EXAMPLES, len(first))
    return [first[index * len(first) // count] for index in range(count)]
