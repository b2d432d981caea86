"""Lines of numbers in, the geometry of a chart out that chart.svg.j2 draws into a page.

Written by hand and not by matplotlib: its SVG has fixed colours, so that a page in dark mode is
unreadable, its text is paths that nobody can select, and its bytes change with its version.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10

WIDTH, HEIGHT = 440, 330  # of the drawing, in its own units; a page scales it
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 46  # margins around the plot, for the ticks and labels
LOOKS = 8  # colours and dashes that a page has
TICKS = 5  # about as many an axis

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """What one direction of a chart means."""

    label: str  # with its unit
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """One row of points, in the units of the axes; points that are no number are left out."""

    name: str
    points: Sequence[Point]
    has_dots: bool = False


@dataclass(frozen=True)
class Mark:
    """One point that the eye should find."""

    name: str
    point: Point
    look: int  # that of its line


@dataclass(frozen=True)
class Tick:
    """A number beside an axis."""

    at: float  # in units of the drawing
    text: str


@dataclass(frozen=True)
class Drawn:
    """A line or a mark in units of the drawing."""

    name: str
    look: int  # 0..LOOKS - 1
    path: str = ""  # of an SVG path
    dots: tuple[Point, ...] = ()  # those within the axes


@dataclass(frozen=True)
class Chart:
    """Everything that the template draws."""

    title: str
    description: str  # for whoever cannot see it
    x: Axis
    y: Axis
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Drawn, ...]
    marks: tuple[Drawn, ...]
    guides: tuple[str, ...]  # paths of thin dashed lines: a diagonal, a chosen epoch
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT  # the edges of the plot
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw_chart(
    title: str,
    description: str,
    axes: tuple[Axis, Axis],
    lines: Sequence[Line],
    marks: Sequence[Mark] = (),
    guides: Sequence[Sequence[Point]] = (),
) -> Chart:
    """Lay lines, marks and guides out on two axes, x and y.

    Lines may leave the plot: the template cuts them off.
    """
    x, y = axes
    drawn = [
        Drawn(line.name, index % LOOKS, _path(points), _within(points) if line.has_dots else ())
        for index, line in enumerate(lines)
        if (points := _place(line.points, x, y))
    ]
    return Chart(
        title,
        description,
        x,
        y,
        x_ticks=tuple(Tick(_across(at, x), text) for at, text in ticks(x)),
        y_ticks=tuple(Tick(_down(at, y), text) for at, text in ticks(y)),
        lines=tuple(drawn),
        marks=tuple(
            Drawn(mark.name, mark.look % LOOKS, dots=_within(_place([mark.point], x, y)))
            for mark in marks
        ),
        guides=tuple(_path(_place(guide, x, y)) for guide in guides),
    )


def ticks(axis: Axis) -> list[tuple[float, str]]:
    """Round numbers 1, 2 or 5 × 10ⁿ apart within an axis, and how each is written."""
    rough = (axis.high - axis.low) / TICKS
    unit = 10.0 ** floor(log10(rough))
    step = next(f * unit for f in (1, 2, 5, 10) if f * unit >= rough * (1 - 1e-9))
    digits = max(0, -floor(log10(step) + 1e-9))
    first, last = ceil(axis.low / step - 1e-9), floor(axis.high / step + 1e-9)
    return [(number * step, f"{number * step:.{digits}f}") for number in range(first, last + 1)]


def round_up(value: float) -> float:
    """The next of 1, 2 or 5 × 10ⁿ: the upper end of an axis; 1 for 0 and below."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** floor(log10(value))
    return next(f * unit for f in (1, 2, 5, 10) if f * unit >= value * (1 - 1e-9))


def _place(points: Sequence[Point], x: Axis, y: Axis) -> tuple[Point, ...]:
    """Points in units of the drawing; neighbours that fall together are one."""
    placed = [
        (_across(across, x), _down(up, y))
        for across, up in points
        if isfinite(across) and isfinite(up)
    ]
    return tuple(_without_repeats(placed))


def _within(points: Sequence[Point]) -> tuple[Point, ...]:
    return tuple(
        (across, down)
        for across, down in points
        if LEFT <= across <= WIDTH - RIGHT and TOP <= down <= HEIGHT - BOTTOM
    )


def _without_repeats(points: Sequence[Point]) -> Iterator[Point]:
    if points:
        yield points[0]
    yield from (after for before, after in pairwise(points) if after != before)


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{across} {down}" for across, down in points) if points else ""


def _across(value: float, axis: Axis) -> float:
    share = (value - axis.low) / (axis.high - axis.low)
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _down(value: float, axis: Axis) -> float:
    share = (value - axis.low) / (axis.high - axis.low)
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)
