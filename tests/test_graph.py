"""graph: one ONNX file that takes raw pictures of any size and says what torch says."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from defectseg.export.graph import export_graph
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.inference.torch_engine import TorchEngine
from defectseg.network.unet import ModelInfo, file_digest, save_unet
from tiny import model_info, network, network_params

TESTS = Path(__file__).parent
OPSET = 20
SIDE = 64  # pixels: the network's size
SIZES = [(1, 64, 64), (3, 50, 131), (2, 200, 37), (1, 301, 402), (1, 9, 12)]  # N, H, W
METADATA = {
    "classes",
    "threshold",
    "picture_threshold",
    "image_size",
    "best_epoch",
    "data_digest",
    "code_digest",
    "package_version",
    "encoder",
    "in_channels",
    "weights_sha256",
}


def info_of(channels: int) -> ModelInfo:
    return model_info(network=network_params(in_channels=channels), image_size=SIDE)


def export(folder: Path, channels: int) -> Path:
    """Write a model and its graph; returns the graph."""
    net = network(in_channels=channels)
    weights, path = folder / "unet.safetensors", folder / "unet.onnx"
    save_unet(net, info_of(channels), weights)
    export_graph(net, info_of(channels), weights, path, OPSET)
    return path


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The graphs of a network for grey and of one for colour pictures, by their channels."""
    return {channels: export(tmp_path_factory.mktemp("graph"), channels) for channels in (1, 3)}


def draw_pictures(count: int, height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    """Grain with a dark corner and a bright one: (N, H, W, C)."""
    draw = np.random.default_rng([count, height, width])
    pictures = draw.integers(60, 180, (count, height, width, channels), dtype=np.uint8)
    pictures[:, : height // 3, : width // 3] //= 4
    pictures[:, height // 2 :, width // 2 :] += 70
    return pictures


@cache
def engine(path: Path) -> OnnxEngine:
    return OnnxEngine(path, threads=1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_graph_says_what_torch_says_at_every_number_and_size_of_pictures(
    size: tuple[int, int, int], channels: int, graphs: dict[int, Path]
):
    pictures = draw_pictures(*size, channels)
    expected = TorchEngine(network(in_channels=channels), SIDE, torch.device("cpu")).run(pictures)
    probability = engine(graphs[channels]).run(pictures)
    count, height, width = size
    assert probability.shape == (count, 3, height, width)
    assert probability.dtype == np.float32
    assert np.abs(probability - expected).max() <= 1e-4
    assert np.abs(probability.sum(axis=1) - 1).max() < 1e-5
    assert expected.max() > 0.7  # the network has an opinion: 1/3 everywhere would prove nothing


def test_the_graph_passes_the_checker_with_free_sizes_and_the_opset_asked_for(
    graphs: dict[int, Path],
):
    model = onnx.load(graphs[1])
    onnx.checker.check_model(model, full_check=True)
    (pictures,), (probability,) = model.graph.input, model.graph.output
    assert (pictures.name, probability.name) == ("pictures", "probability")
    assert pictures.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert probability.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    dims = pictures.type.tensor_type.shape.dim
    assert [bool(dim.dim_param) for dim in dims] == [True, True, True, False]
    assert dims[3].dim_value == 1
    assert {entry.version for entry in model.opset_import if entry.domain == ""} == {OPSET}


def test_the_file_holds_everything_that_a_service_needs_to_know(graphs: dict[int, Path]):
    found = {prop.key: prop.value for prop in onnx.load(graphs[3]).metadata_props}
    assert found.keys() == METADATA
    assert found["classes"] == "crack,blowhole"
    assert float(found["threshold"]) == model_info().threshold
    assert float(found["picture_threshold"]) == model_info().picture_threshold
    assert int(found["image_size"]) == SIDE
    assert int(found["in_channels"]) == 3
    assert found["encoder"] == "tu-test_resnet"
    assert found["data_digest"] == model_info().data_digest
    assert found["code_digest"] == model_info().code_digest
    assert found["package_version"] == model_info().package_version
    assert found["weights_sha256"] == file_digest(graphs[3].with_suffix(".safetensors"))


def test_the_file_names_no_path_of_this_machine(graphs: dict[int, Path]):
    content = graphs[1].read_bytes()
    for trace in (b".py", b"site-packages", str(TESTS.parent).encode(), str(Path.home()).encode()):
        assert trace not in content


def test_nothing_else_is_left_beside_the_file(graphs: dict[int, Path]):
    names = sorted(path.name for path in graphs[1].parent.iterdir())
    assert names == ["unet.json", "unet.onnx", "unet.safetensors"]


AGAIN = """
import sys
from pathlib import Path
from test_graph import export

export(Path(sys.argv[1]), 1)
"""


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(graphs: dict[int, Path], tmp_path: Path):
    env = os.environ | {"PYTHONHASHSEED": "4711"}
    subprocess.run([sys.executable, "-c", AGAIN, str(tmp_path)], cwd=TESTS, env=env, check=True)
    assert (tmp_path / "unet.onnx").read_bytes() == graphs[1].read_bytes()


WITHOUT_TORCH = """
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "fastai", "timm",
                                      "segmentation_models_pytorch"}:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Nowhere())
try:
    import torch
except ImportError:
    pass
else:
    sys.exit("torch can be imported: this test proves nothing")

from pathlib import Path
import numpy as np
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.inference.predictor import predict

picture = np.load(sys.argv[2])
np.save(sys.argv[3], predict(OnnxEngine(Path(sys.argv[1]), threads=1), picture, 0.5).probability)
"""


def test_the_file_runs_where_torch_cannot_be_imported(graphs: dict[int, Path], tmp_path: Path):
    picture = draw_pictures(1, 70, 90, 1)[0]
    np.save(tmp_path / "picture.npy", picture)
    told = [graphs[1], tmp_path / "picture.npy", tmp_path / "probability.npy"]
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *map(str, told)], check=True)
    probability = np.load(tmp_path / "probability.npy")
    assert np.array_equal(probability, engine(graphs[1]).run(picture[None])[0])
