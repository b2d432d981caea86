"""While a picture is decoded, in any thread, a warning of Pillow is an error."""

import warnings
from threading import Lock
from types import TracebackType

from PIL import Image


class PillowWarnings:
    """A context for any number of threads at once: Python's filters belong to the whole process.

    `warnings.catch_warnings` in two threads would leave the filters of one behind for ever.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0  # contexts that are open
        self._earlier = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            self._earlier = warnings.catch_warnings()
            self._earlier.__enter__()
            warnings.filterwarnings("error", module=r"PIL\.")
            # Pillow's own limit of pixels is lower than ours: it warns above it.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._earlier.__exit__(kind, error, trace)


WARNINGS = PillowWarnings()
