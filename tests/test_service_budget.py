"""The budget of pixels: never more at work than it has, and everyone's turn comes."""

import threading
import time

import pytest

from defectseg.service.budget import PixelBudget
from service_parts import SECONDS


def soon() -> float:
    return time.monotonic() + SECONDS


def test_pixels_are_taken_and_given_back():
    budget = PixelBudget(10)
    assert budget.take(7, soon())
    assert budget.free == 3
    budget.give_back(7)
    assert budget.free == 10


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.02])
def test_who_gets_no_pixels_before_the_deadline_takes_none(seconds: float):
    budget = PixelBudget(10)
    assert budget.take(6, soon())
    started = time.monotonic()
    assert not budget.take(5, started + seconds)
    assert time.monotonic() - started >= max(seconds, 0)
    assert budget.free == 4


def test_all_pixels_can_be_taken_even_where_the_deadline_has_passed():
    assert PixelBudget(10).take(10, time.monotonic() - 1)


def take(budget: PixelBudget, pixels: int, order: list[int]) -> threading.Thread:
    """Wait for pixels in a thread of its own, which has begun to wait on return."""
    known = len(budget._waiting)

    def wait() -> None:
        if budget.take(pixels, soon()):
            order.append(pixels)

    thread = threading.Thread(target=wait)
    thread.start()
    while len(budget._waiting) == known:
        time.sleep(0.001)
    return thread


def test_a_large_picture_waits_for_no_small_one_that_came_later():
    budget, order = PixelBudget(10), list[int]()
    assert budget.take(6, soon())
    large = take(budget, 9, order)
    small = take(budget, 2, order)  # there are 4, but it came later
    assert order == []
    budget.give_back(6)
    large.join(SECONDS)
    assert order == [9]
    budget.give_back(9)
    small.join(SECONDS)
    assert order == [9, 2]
    assert budget.free == 8


def test_one_that_gives_up_lets_the_next_one_in_at_once():
    budget, order = PixelBudget(10), list[int]()
    assert budget.take(6, soon())
    impatient = threading.Thread(target=budget.take, args=(9, time.monotonic() + 0.2))
    impatient.start()
    while not budget._waiting:
        time.sleep(0.001)
    small = take(budget, 4, order)
    small.join(SECONDS)
    impatient.join()
    assert order == [4]


def test_many_threads_never_have_more_than_there_is():
    budget, lock = PixelBudget(10), threading.Lock()
    held, most = 0, 0

    def work(pixels: int) -> None:
        nonlocal held, most
        for _ in range(40):
            assert budget.take(pixels, soon())
            with lock:
                held += pixels
                most = max(most, held)
            with lock:
                held -= pixels
            budget.give_back(pixels)

    threads = [threading.Thread(target=work, args=(pixels,)) for pixels in (1, 3, 4, 7, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.free == 10
    assert most == 10
