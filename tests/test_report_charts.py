"""charts: lines of numbers laid out on two axes. The plot is 374 wide from 52, 272 high to 284."""

import pytest

from defectseg.evaluation.report.charts import Axis, Line, Mark, draw_chart, round_up, ticks

HUNDRED = Axis("of 100", 0, 100)


def draw(*points: tuple[float, float], has_dots: bool = False):
    """A chart of one line on axes from 0 to 100."""
    return draw_chart("t", "d", (HUNDRED, HUNDRED), [Line("a", points, has_dots)])


def test_the_corners_of_the_axes_are_the_corners_of_the_plot():
    chart = draw((0, 0), (100, 100))
    assert chart.lines[0].path == "M52.0 284.0L426.0 12.0"
    assert (chart.left, chart.right, chart.top, chart.bottom) == (52, 426, 12, 284)


def test_half_way_is_the_middle_of_the_plot():
    assert draw((50, 25), has_dots=True).lines[0].dots == ((239.0, 216.0),)


def test_a_point_that_is_no_number_is_left_out_and_repeats_are_one():
    nan, infinite = float("nan"), float("inf")
    chart = draw((0, 0), (nan, 3), (5, infinite), (0, 0), (100, 0))
    assert chart.lines[0].path == "M52.0 284.0L426.0 284.0"


def test_a_line_without_points_keeps_the_look_of_the_next():
    lines = [Line("empty", []), Line("full", [(0, 0), (1, 1)])]
    chart = draw_chart("t", "d", (HUNDRED, HUNDRED), lines)
    assert [(line.name, line.look) for line in chart.lines] == [("full", 1)]


def test_dots_and_marks_outside_the_axes_are_not_drawn():
    line = Line("a", [(5, 5), (150, 5)], has_dots=True)
    marks = [Mark("in", (10, 10), 0), Mark("out", (10, 101), 0)]
    chart = draw_chart("t", "d", (HUNDRED, HUNDRED), [line], marks)
    assert len(chart.lines[0].dots) == 1
    assert [len(mark.dots) for mark in chart.marks] == [1, 0]
    assert chart.lines[0].path.count("L") == 1  # the line goes on: the template cuts it off


def test_guides_are_paths():
    chart = draw_chart("t", "d", (HUNDRED, HUNDRED), [], guides=[[(0, 0), (100, 100)]])
    assert chart.guides == ("M52.0 284.0L426.0 12.0",)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 100, ["0", "20", "40", "60", "80", "100"]),
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 2, ["0.0", "0.5", "1.0", "1.5", "2.0"]),
        (0, 0.05, ["0.00", "0.01", "0.02", "0.03", "0.04", "0.05"]),
        (0, 19, ["0", "5", "10", "15"]),
        (3, 11, ["4", "6", "8", "10"]),
    ],
)
def test_ticks_are_round_numbers_within_the_axis(low: float, high: float, texts: list[str]):
    assert [text for _, text in ticks(Axis("", low, high))] == texts


@pytest.mark.parametrize(
    ("value", "end"),
    [(0, 1), (-1, 1), (0.7, 1), (1, 1), (1.1, 2), (2.5, 5), (60, 100), (0.03, 0.05)],
)
def test_the_end_of_an_axis_is_round(value: float, end: float):
    assert round_up(value) == pytest.approx(end)
