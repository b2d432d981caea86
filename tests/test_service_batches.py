"""Batches: what else is in one changes no bit of a result."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from defectseg.inference.engine import Output
from exported import draw_pictures, exported
from service_parts import WatchedEngine, drawn_file, encode_png, in_loop, post, running, until


@pytest.mark.parametrize("model", ["drawn", pytest.param("network", marks=pytest.mark.slow)])
def test_what_else_is_in_a_batch_changes_no_bit_of_a_result(model: str):
    """Eight pictures of one size, in batches of every size: masks and probabilities are equal."""
    path = drawn_file() if model == "drawn" else exported(3)
    pictures = draw_pictures(8, 40, 56, 3)
    pictures[..., 2] //= 2  # a blue of 255 is no number to the drawn model
    files = [encode_png(picture) for picture in pictures]

    async def results(batch_size: int, of: list[bytes]) -> tuple[list[bytes], list[int]]:
        """The outputs byte by byte, and how many pictures each run had."""
        engine = KeepingEngine(path)
        engine.may_run.clear()
        async with running(engine, model=path, batch_size=batch_size) as service:
            calls = [asyncio.ensure_future(post(service, encode_png(pictures[0][:8])))]
            await until(engine.began.is_set)  # of another size: the others come together
            calls += [asyncio.ensure_future(post(service, content)) for content in of]
            await until(lambda: len(service.pipeline.queue) == len(of))
            engine.may_run.set()
            assert {call.code for call in await asyncio.gather(*calls)} == {"OK"}
        return [engine.outputs[picture.tobytes()] for picture in pictures[: len(of)]], [
            shape[0] for shape in engine.batches
        ]

    @in_loop
    async def story() -> None:
        alone, _ = await results(1, files)
        for size in range(2, 9):
            together, runs = await results(size, files[:size])
            assert runs == [1, size]
            assert together == alone[:size]

    story()


class KeepingEngine(WatchedEngine):
    """Keeps what it said about each picture."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.outputs: dict[bytes, bytes] = {}

    def run(self, pictures: npt.NDArray[np.uint8], stop: Any = None) -> Output:
        output = super().run(pictures, stop)
        for n, picture in enumerate(pictures):
            said = output.probability[n].tobytes() + output.mask[n].tobytes()
            self.outputs[picture.tobytes()] = said
        return output
