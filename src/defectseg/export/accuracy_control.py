"""An exported graph, train and valid pictures in, an INT8 graph out that loses little on valid.

All layers are quantised first. If that loses more than half of what the limits allow, the layers
that lose most alone stay in float: two of them, then four, eight, … until it fits. The valid part
chooses, so that the test part can judge.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from defectseg.data.tile import TileSet
from defectseg.export.graph import load_graph
from defectseg.export.offers import Limits, judge_difference
from defectseg.export.quantize import calibrate, layers_of, write_int8
from defectseg.export.ranges import Ranges, choose_pictures
from defectseg.export.variants import Contender, compare
from defectseg.inference.engine import Engine
from defectseg.inference.onnx_engine import OnnxEngine

PROBES = 16  # valid pictures that every layer is tried on alone
FIRST_KEPT = 2  # layers in float in the first attempt after the plain one; doubled each time


def quantize_within_limits(
    source: Path,
    target: Path,
    pictures: Iterable[npt.NDArray[np.uint8]],
    valid: TileSet,
    limits: Limits,
    threads: int,
) -> tuple[str, ...]:
    """Write an INT8 graph that keeps half of every limit on the valid part, if there is one.

    Args:
        pictures: Of the train part, (H, W, C): what the network is calibrated on.

    Returns:
        The layers that stayed in float beside the first and the last; where no choice kept the
        limits, those of the last attempt: the comparison on the test part will say so.
    """
    model = load_graph(source)
    ranges = calibrate(model, pictures)
    trusted = OnnxEngine(source, threads, provider="cpu")
    kept: tuple[str, ...] = ()
    for kept in _attempts(
        model, lambda: rank_layers(model, ranges, target, trusted, valid, threads)
    ):
        write_int8(model, ranges, target, kept)
        if _keeps(limits.halved(), trusted, OnnxEngine(target, threads, provider="cpu"), valid):
            break
    return kept


def _attempts(
    model: onnx.ModelProto, rank: Callable[[], Sequence[str]]
) -> Iterator[tuple[str, ...]]:
    """What to keep in float: nothing, then ever more of the worst layers, never all."""
    yield ()
    count, layers = FIRST_KEPT, len(layers_of(model))
    ranked = rank() if count < layers else ()
    while count < layers:
        yield tuple(ranked[:count])
        count *= 2


def rank_layers(
    model: onnx.ModelProto,
    ranges: Ranges,
    scratch: Path,
    trusted: OnnxEngine,
    valid: TileSet,
    threads: int,
) -> list[str]:
    """The layers by the error that each makes when it alone is quantised, the largest first."""
    channels = trusted.facts.channels
    probes = [valid.picture(tile, channels)[None] for tile in choose_pictures(valid.tiles, PROBES)]
    expected = [trusted.run(picture).probability for picture in probes]
    layers = layers_of(model)
    errors = {}
    for layer in layers:
        write_int8(model, ranges, scratch, keep_float=set(layers) - {layer})
        engine = OnnxEngine(scratch, threads, provider="cpu")
        said = [engine.run(picture).probability for picture in probes]
        errors[layer] = sum(
            float(np.square(a - b).mean()) for a, b in zip(said, expected, strict=True)
        )
    return sorted(layers, key=lambda layer: -errors[layer])


def _keeps(limits: Limits, trusted: OnnxEngine, engine: Engine, valid: TileSet) -> bool:
    facts = trusted.facts
    contender = Contender("int8", "onnxruntime", engine)
    _, differences = compare(trusted, [contender], valid, facts.channels, facts.point)
    return judge_difference(differences[0], limits).is_offered
