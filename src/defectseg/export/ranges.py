"""Train pictures in, the range of every tensor of the network out: what 8 bits must cover.

Shapes: H rows, W columns, C channels.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import chain, zip_longest

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper

from defectseg.data.tile import Tile
from defectseg.errors import ExportError

Ranges = dict[str, tuple[float, float]]  # least and largest value by the name of the tensor


def choose_pictures(tiles: Sequence[Tile], count: int) -> list[Tile]:
    """At most `count` tiles: as many of each class as there are, of as many surfaces as there are.

    The same tiles give the same choice, in whatever order they come.
    """
    queues: dict[str, list[Tile]] = defaultdict(list)
    for tile in _by_turn(tiles):
        queues[tile.defect_class].append(tile)
    turns = zip_longest(*(queues[name] for name in sorted(queues)))
    return [tile for tile in chain.from_iterable(turns) if tile is not None][:count]


def _by_turn(tiles: Iterable[Tile]) -> list[Tile]:
    """The first picture of each surface, then the second of each, …; else by chance of the hash."""
    seen: Counter[str] = Counter()
    turns = []
    for tile in sorted(tiles, key=lambda tile: (tile.sha256, tile.id)):
        turns.append((seen[tile.surface], tile))
        seen[tile.surface] += 1
    return [tile for _, tile in sorted(turns, key=lambda each: each[0])]


def measure_ranges(
    model: onnx.ModelProto, tensors: Collection[str], pictures: Iterable[npt.NDArray[np.uint8]]
) -> Ranges:
    """Run pictures (H, W, C) through the whole graph; the least and largest value of each tensor.

    Args:
        tensors: Names of float32 tensors of the graph.

    Raises:
        ExportError: There is no picture, or a value is no number.
    """
    names = sorted(tensors)
    session = _session_with_outputs(model, names)
    lows, highs = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for picture in pictures:
        values = session.run(names, {"pictures": picture[None]})
        lows = np.minimum(lows, [value.min() for value in values])
        highs = np.maximum(highs, [value.max() for value in values])
    if not np.isfinite([lows, highs]).all():
        raise ExportError(
            "the network cannot be calibrated for INT8: train has no picture, or the network gives "
            "a value that is no number; take int8 out of params.yaml: export.variants"
        )
    return {
        name: (float(low), float(high)) for name, low, high in zip(names, lows, highs, strict=True)
    }


def _session_with_outputs(
    model: onnx.ModelProto, names: Sequence[str]
) -> onnxruntime.InferenceSession:
    """One thread: the same sums in the same order, whatever the machine's number of cores."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = {value.name for value in watched.graph.output}
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in names
        if name not in known
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    content = watched.SerializeToString()
    return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
