"""How an engine is to run, whichever it is: threads, spinning and where."""

from dataclasses import dataclass
from typing import Literal

from defectseg.inference.threads import count_threads

Provider = Literal["auto", "cpu", "cuda", "tensorrt"]


@dataclass(frozen=True)
class EngineSettings:
    """The same for every engine; each uses what it understands."""

    threads: int = 0  # inside one operator; 0 = all that the system gives us: see threads.py
    spin: bool = False  # threads that wait burn a core; see docs/performance.md for what it gains
    provider: Provider = "auto"  # of ONNX Runtime; auto = the GPU where one is usable, else cpu

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise ValueError(
                f"threads is {self.threads}; expected 1 or more, or 0 for all that there are"
            )

    def count_threads(self) -> int:
        """The number of threads to start, at least 1."""
        return self.threads or count_threads()
