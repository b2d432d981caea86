"""Items and a function in, its results out: computed by several threads, in the items' order.

Stages are joined by giving one's results to the next as items. Each holds a bounded number of
items, so that memory does not grow with their count, and pulls only when the next one pulls.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Given = TypeVar("Given")


class Pause:
    """Among the items: nothing more for now, so finish what came before."""


PAUSE = Pause()


def in_order(
    items: Iterable[Item | Pause], do: Callable[[Item], Given], workers: int, ahead: int
) -> Generator[Given | Pause]:
    """Compute `do` of every item; what it raises is raised in its place.

    Closed early, it waits for what has begun and drops the rest.

    Args:
        workers: Threads.
        ahead: Items at most that are begun or done and not yet taken.
    """
    waiting: deque[Future[Given]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                if isinstance(item, Pause):
                    while waiting:
                        yield waiting.popleft().result()
                    yield item
                    continue
                waiting.append(pool.submit(do, item))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
