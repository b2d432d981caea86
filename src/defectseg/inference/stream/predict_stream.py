"""Pictures in, what the model says about each out, in their order.

Every worker takes a picture all the way: reads, decodes, runs the engine, judges, draws, encodes.
While one is in the engine others decode and write, and two in the engine at once use the cores
better than one: see docs/performance.md. No more pictures than workers are in memory.
"""

import hashlib
import os
import time
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from defectseg.data.picture import decode_picture
from defectseg.errors import DataError, ModelOutputError
from defectseg.inference.engine import Engine, Output
from defectseg.inference.model_facts import ModelFacts
from defectseg.inference.predictor import Prediction, judge
from defectseg.inference.result import ModelResult, to_result
from defectseg.inference.stream.failure import EmptyFileError, EngineError, to_failure
from defectseg.inference.stream.in_order import Pause, in_order
from defectseg.inference.stream.journal import to_line
from defectseg.inference.stream.picture import Picture, printable
from defectseg.inference.writers.picture_file import DrawingError, PictureFile

AHEAD = 4  # finished pictures, a worker, that may wait for a slow one before them


@dataclass(frozen=True)
class Job:
    """How pictures are predicted, and what is made of it."""

    engine: Engine
    facts: ModelFacts
    model: ModelResult
    workers: int  # pictures at once
    mm_per_pixel: float | None = None
    folder: Path | None = None  # where the files go
    files: tuple[PictureFile, ...] = ()  # made of every picture
    settings: str | None = None  # a digest of all that changes a result; None: never resumed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one picture."""

    picture: Picture
    record: dict[str, Any]  # a `result.Result` with its path, or a `failure.Failure`
    line: str  # the record as one line of JSON

    @property
    def error(self) -> dict[str, str] | None:
        """Why it has no result: code and message."""
        told: dict[str, str] | None = self.record.get("error")
        return told


class Clock:
    """How long each step of a picture took."""

    def __init__(self) -> None:
        self.times_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """The step that ended now began where the one before it ended."""
        now = time.perf_counter()
        self.times_ms[step] = 1000 * (now - self._last)
        self._last = now


def predict_stream(pictures: Iterable[Picture | Pause], job: Job) -> Generator[Outcome | Pause]:
    """Predict pictures; close it early to stop: what has begun is finished and not told.

    Raises:
        OSError: A file below the job's folder cannot be written.
    """
    ahead = AHEAD * job.workers
    with closing(in_order(pictures, lambda one: predict_one(one, job), job.workers, ahead)) as told:
        yield from told


def predict_one(picture: Picture, job: Job) -> Outcome:
    """Take a picture all the way.

    Raises:
        OSError: A file below the job's folder cannot be written.
    """
    clock = Clock()
    try:
        content, known = _read(picture, job.settings)
        clock.lap("read")
        pixels = _decode(content, job.facts.channels)
        clock.lap("decode")
        prediction = _infer(pixels, job)
        clock.lap("infer")
        _write_files(picture, pixels, prediction, job)
    except UnusableError as unusable:
        record = dict(to_failure(picture, unusable.reason))
    else:
        record = _to_record(picture, prediction, job, clock)
        if known is not None:
            record["fingerprint"] = known
    return Outcome(picture, record, to_line(record))


def fingerprint(settings: str, size: int, modified_ns: int) -> str:
    """The same for the same file, model and settings: its result need not be computed again."""
    return hashlib.sha256(f"{settings}|{size}|{modified_ns}".encode()).hexdigest()[:16]


class UnusableError(Exception):
    """One picture has no result; the others go on."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _read(picture: Picture, settings: str | None) -> tuple[bytes, str | None]:
    """The bytes of a file, and the fingerprint of the very file that was read."""
    try:
        with Path(picture.path).open("rb") as file:
            facts = os.fstat(file.fileno())
            content = file.read()
    except (OSError, MemoryError) as error:
        raise UnusableError(error) from error
    if not content:
        raise UnusableError(EmptyFileError("the file has 0 bytes"))
    if settings is None:
        return content, None
    return content, fingerprint(settings, facts.st_size, facts.st_mtime_ns)


def _decode(content: bytes, channels: int) -> npt.NDArray[np.uint8]:
    try:
        return decode_picture(content, channels)
    except (DataError, MemoryError) as error:
        raise UnusableError(error) from error


def _infer(pixels: npt.NDArray[np.uint8], job: Job) -> Prediction:
    try:
        output = _run(job.engine, pixels)
        return judge(output.probability[0], output.mask[0], job.facts.point)
    except (EngineError, ModelOutputError, MemoryError) as error:
        raise UnusableError(error) from error


def _write_files(
    picture: Picture, pixels: npt.NDArray[np.uint8], prediction: Prediction, job: Job
) -> None:
    if job.folder is None:
        return
    for file in job.files:
        try:
            file.write(job.folder, picture.image_id, pixels, prediction, job.facts.classes)
        except DrawingError as error:
            raise UnusableError(error) from error


def _run(engine: Engine, pixels: npt.NDArray[np.uint8]) -> Output:
    try:
        return engine.run(pixels[None])
    except (ModelOutputError, MemoryError):
        raise
    except Exception as error:  # each engine has its own kinds
        raise EngineError(f"the engine failed: {error}") from error


def _to_record(picture: Picture, prediction: Prediction, job: Job, clock: Clock) -> dict[str, Any]:
    result = to_result(
        picture.image_id,
        prediction,
        job.facts.classes,
        job.model,
        clock.times_ms,
        job.mm_per_pixel,
    )
    clock.lap("encode")
    result["timings_ms"]["encode"] = round(clock.times_ms["encode"], 2)
    return {"image_id": result["image_id"], "path": printable(picture.path), **result}
