"""in_order: several threads, one order, bounded, and no item left waiting at a pause."""

from collections.abc import Iterator
from threading import Barrier, Event, Timer

import pytest

from defectseg.inference.stream.in_order import PAUSE, Pause, in_order


def test_results_come_in_the_order_of_the_items_however_long_each_takes():
    later = Event()

    def slow_first(item: int) -> int:
        if item == 0:
            assert later.wait(10)
        else:
            later.set()
        return item * 10

    assert list(in_order(range(5), slow_first, workers=2, ahead=4)) == [0, 10, 20, 30, 40]


def test_as_many_are_computed_at_once_as_there_are_workers():
    together = Barrier(3, timeout=10)
    results = in_order(range(6), lambda item: together.wait() >= 0, workers=3, ahead=6)
    assert list(results) == [True] * 6


def test_no_more_items_are_taken_than_may_be_ahead():
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = in_order(items(), lambda item: item, workers=2, ahead=3)
    assert next(results) == 0
    assert len(taken) == 3
    assert next(results) == 1
    assert len(taken) == 4
    results.close()
    assert len(taken) == 4


def test_at_a_pause_everything_before_it_is_given_first():
    asked: list[str] = []

    def items() -> Iterator[int | Pause]:
        yield from (1, 2)
        yield PAUSE
        asked.append("after the pause")
        yield 3

    results = in_order(items(), lambda item: item, workers=2, ahead=10)
    assert [next(results), next(results), next(results)] == [1, 2, PAUSE]
    assert asked == []
    assert list(results) == [3]


def test_an_error_is_raised_in_its_place():
    results = in_order([1, 0, 2], lambda item: 6 // item, workers=2, ahead=3)
    assert next(results) == 6
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_closed_early_it_finishes_what_has_begun_and_drops_the_rest():
    begun, go_on = Event(), Event()
    ended: list[int] = []

    def work(item: int) -> int:
        if item == 1:
            begun.set()
            assert go_on.wait(10)
        ended.append(item)
        return item

    results = in_order(range(9), work, workers=1, ahead=3)
    assert next(results) == 0
    assert begun.wait(10)
    release = Timer(0.2, go_on.set)  # after the rest was dropped, which takes no time
    release.start()
    results.close()
    release.join()
    assert ended == [0, 1]


def test_stages_can_be_joined_and_pauses_pass_through():
    first = in_order([1, PAUSE, 2], lambda item: item + 1, workers=2, ahead=2)
    second = in_order(first, lambda item: item * 10, workers=2, ahead=2)
    assert list(second) == [20, PAUSE, 30]
