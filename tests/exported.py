"""The graphs of the tiny networks, exported once for all tests of a run."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from defectseg.export.graph import export_graph
from defectseg.inference.operating_point import ClassPoint, OperatingPoint
from defectseg.network.unet import ModelInfo, save_unet
from tiny import model_info, network, network_params

OPSET = 20
SIDE = 64  # pixels: the network's size
POINT = OperatingPoint(
    classes=(
        ClassPoint(defect_class="crack", threshold=0.4, min_area=2),
        ClassPoint(defect_class="blowhole", threshold=0.7, min_area=3),
    ),
    temperature=1.5,
    review=0.4,
    reject=0.8,
    rule="by hand",
)


def info_of(channels: int) -> ModelInfo:
    """What stands beside the weights."""
    return model_info(network=network_params(in_channels=channels), image_size=SIDE)


def export_tiny(folder: Path, channels: int = 1, point: OperatingPoint = POINT) -> Path:
    """Write a model and its graph; returns the graph."""
    net = network(in_channels=channels)
    weights, path = folder / "unet.safetensors", folder / "unet.onnx"
    save_unet(net, info_of(channels), weights)
    export_graph(net, info_of(channels), point, weights, path, OPSET)
    return path


@cache
def exported(channels: int = 1) -> Path:
    """The graph of the network for grey or for colour pictures; only to be read."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return export_tiny(Path(folder), channels)


def draw_pictures(count: int, height: int, width: int, channels: int = 1) -> npt.NDArray[np.uint8]:
    """Grain with a dark corner and a bright one: (N, H, W, C)."""
    draw = np.random.default_rng([count, height, width])
    pictures = draw.integers(60, 180, (count, height, width, channels), dtype=np.uint8)
    pictures[:, : height // 3, : width // 3] //= 4
    pictures[:, height // 2 :, width // 2 :] += 70
    return pictures


def metadata_of(path: Path) -> dict[str, str]:
    """What a file says about itself."""
    return {prop.key: prop.value for prop in onnx.load(path).metadata_props}


def tensors_of(path: Path) -> dict[str, int]:
    """The element type of every stored tensor of a file, by its name."""
    return {value.name: value.data_type for value in onnx.load(path).graph.initializer}
