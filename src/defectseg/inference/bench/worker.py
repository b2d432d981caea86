"""Questions about one engine in, what it measured out: runs in a process of its own.

So the peak of memory is that engine's, and no engine's threads stand in another's way. Each
question and each answer is one line of JSON.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from defectseg.confusion import count_pixels
from defectseg.data.tile import TileSet, read_tiles
from defectseg.errors import DataError, DefectsegError
from defectseg.inference.engine_settings import EngineSettings
from defectseg.inference.open_engine import LoadedEngine, open_engine
from defectseg.inference.predictor import predict

STATUS = Path("/proc/self/status")


def main() -> None:
    """Answer on what stdout was; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


def serve(questions: IO[str], answers: IO[str]) -> None:
    """Answer each question until there are no more; the first one opens the engine."""
    engine: LoadedEngine | None = None
    for line in questions:
        question = json.loads(line)
        try:
            if engine is None:
                settings = EngineSettings(question["threads"])
                engine = open_engine(Path(question["path"]), question["engine"], settings)
                answer: Any = engine.name
            else:
                answer = ANSWERS[question.pop("ask")](engine, **question)
            reply = {"answer": answer}
        except (DefectsegError, OSError, ValueError, RuntimeError) as error:
            reply = {"error": str(error)}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


def time_pictures(engine: LoadedEngine, width: int, height: int, count: int) -> list[float]:
    """Run as many pictures of one size, one after the other: milliseconds of each."""
    picture = np.random.default_rng(0).integers(
        0, 256, (1, height, width, engine.facts.channels), dtype=np.uint8
    )
    milliseconds = []
    for _ in range(count):
        started = time.perf_counter()
        engine.run(picture)
        milliseconds.append(1e3 * (time.perf_counter() - started))
    return milliseconds


def score_tiles(engine: LoadedEngine, folder: str, ids: list[str]) -> list[list[int]]:
    """Predict some tiles: the confusion matrix (1 + K, 1 + K) of their final masks, in pixels."""
    tiles = _tiles(folder).only(ids)
    facts = engine.facts
    if tiles.classes != facts.classes:
        raise DataError(
            f"{folder} has the classes {', '.join(tiles.classes)}, but the model knows "
            f"{', '.join(facts.classes)}; train on these tiles first"
        )
    confusion = np.zeros((1 + len(facts.classes), 1 + len(facts.classes)), dtype=np.int64)
    for tile in tiles.tiles:
        prediction = predict(engine, tiles.picture(tile, facts.channels), facts.point)
        confusion += count_pixels(prediction.mask, tiles.mask(tile), len(facts.classes))
    counts: list[list[int]] = confusion.tolist()
    return counts


@cache
def _tiles(folder: str) -> TileSet:
    return read_tiles(Path(folder))


def measure_peak(engine: LoadedEngine) -> float:
    """The most memory that this process ever held, in MiB.

    Linux: VmHWM, for ru_maxrss starts with the size of the process that started this one.
    """
    if STATUS.is_file():
        lines = STATUS.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


ANSWERS: dict[str, Callable[..., Any]] = {
    "time": time_pictures,
    "score": score_tiles,
    "peak": measure_peak,
}
