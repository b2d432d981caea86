"""open_engine: what every engine must do, whichever it is, and what opens it."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest

from dark_model import write_dark_model
from defectseg.errors import ModelFileError, PackagesError
from defectseg.inference.engine_settings import EngineSettings
from defectseg.inference.open_engine import EngineName, LoadedEngine, open_engine, opened
from model_files import point, write_model_files

NAMES: tuple[EngineName, ...] = get_args(EngineName)
SIZES = [(1, 1), (7, 301), (301, 7), (64, 64), (72, 80), (1500, 2000)]  # H, W; the network's: 64
TOLERANCE = 5e-5
FLAT = 5e-3  # a flat picture is nothing but the rounding of its mean, and this network is untamed


def path_for(name: EngineName, folder: Path) -> Path:
    return folder / ("unet.safetensors" if name == "torch" else "unet.onnx")


def draw(*shape: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Coarse grain, so that something survives the way to 64 × 64."""
    count, height, width, channels = shape
    coarse = np.random.default_rng(seed).integers(
        0, 256, (count, -(-height // 9), -(-width // 9), channels), dtype=np.uint8
    )
    return coarse.repeat(9, axis=1).repeat(9, axis=2)[:, :height, :width]


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model_files(tmp_path_factory.mktemp("grey"))


@pytest.fixture(scope="module")
def engines(grey: Path) -> Iterator[dict[EngineName, LoadedEngine]]:
    """Every engine with the model of grey pictures."""
    loaded = {name: open_engine(path_for(name, grey), name) for name in NAMES}
    yield loaded
    for engine in loaded.values():
        engine.close()


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_engine_says_what_torch_says(
    size: tuple[int, int], count: int, engines: dict[EngineName, LoadedEngine]
):
    pictures = draw(count, *size, 1)
    trusted = engines["torch"].run(pictures)
    assert trusted.probability.shape == (count, 3, *size)
    for name in NAMES:
        output = engines[name].run(pictures)
        assert output.probability.dtype == np.float32
        assert output.mask.dtype == np.uint8
        assert output.mask.shape == (count, *size)
        tolerance = FLAT if size == (1, 1) else TOLERANCE
        np.testing.assert_allclose(output.probability, trusted.probability, 0, tolerance, name)
        assert (output.mask != trusted.mask).mean() <= 1e-4


def test_the_pictures_of_the_parity_make_the_model_say_everything(
    engines: dict[EngineName, LoadedEngine],
):
    masks = [engines["torch"].run(draw(1, *size, 1)).mask for size in SIZES[1:]]
    assert set(np.concatenate([mask.ravel() for mask in masks])) == {0, 1, 2}


@pytest.mark.slow
def test_every_engine_says_what_torch_says_of_colours(tmp_path: Path):
    folder = write_model_files(tmp_path, channels=3)
    pictures = draw(2, 61, 93, 3)
    with opened(path_for("torch", folder), "torch") as torch:
        trusted = torch.run(pictures).probability
    for name in NAMES:
        with opened(path_for(name, folder), name) as engine:
            found = engine.run(pictures).probability
            np.testing.assert_allclose(found, trusted, 0, TOLERANCE, name)
            with pytest.raises(ValueError, match="trained on RGB pictures"):
                engine.run(pictures[..., :1])


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_picture_s_answer_does_not_depend_on_its_batch(
    name: EngineName, engines: dict[EngineName, LoadedEngine]
):
    pictures = draw(4, 72, 80, 1, seed=1)
    together = engines[name].run(pictures)
    for index in range(4):
        alone = engines[name].run(pictures[index : index + 1])
        np.testing.assert_array_equal(alone.probability[0], together.probability[index])
        np.testing.assert_array_equal(alone.mask[0], together.mask[index])


@pytest.mark.parametrize("name", NAMES)
def test_several_threads_share_one_engine(
    name: EngineName, engines: dict[EngineName, LoadedEngine]
):
    pictures = [draw(1, 20 + 9 * number, 90 - 5 * number, 1, seed=number) for number in range(8)]
    alone = [engines[name].run(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(engines[name].run, pictures * 3))
    for found, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_allclose(found.probability, expected.probability, 0, 1e-6)
        np.testing.assert_array_equal(found.mask.shape, expected.mask.shape)


@pytest.mark.parametrize("name", NAMES)
def test_every_engine_tells_the_same_facts(
    name: EngineName, engines: dict[EngineName, LoadedEngine]
):
    facts = engines[name].facts
    assert facts == engines["torch"].facts
    assert (facts.classes, facts.channels, facts.image_size) == (("crack", "blowhole"), 1, 64)
    assert (facts.precision, facts.point) == ("fp32", point())


@pytest.mark.parametrize("name", NAMES)
def test_every_engine_has_a_name_for_people(
    name: EngineName, engines: dict[EngineName, LoadedEngine]
):
    shown = {"onnxruntime": "ONNX Runtime ", "openvino": "OpenVINO ", "torch": "PyTorch "}
    assert engines[name].name.startswith(shown[name])
    assert engines[name].name.endswith(", CPU")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_batch_is_refused_before_the_runtime_sees_it(
    name: EngineName, engines: dict[EngineName, LoadedEngine]
):
    for wrong, message in [
        (np.zeros((1, 4, 4, 1), np.float32), "pictures is float32"),
        (np.zeros((1, 4, 4, 3), np.uint8), "trained on grey pictures"),
        (np.zeros((4, 4, 1), np.uint8), r"needs picture\[None\]"),
        (np.zeros((1, 0, 4, 1), np.uint8), "none of them 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            engines[name].run(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_a_closed_engine_says_so_and_may_be_closed_again(name: EngineName, grey: Path):
    with opened(path_for(name, grey), name, EngineSettings(threads=1)) as engine:
        engine.run(draw(1, 5, 6, 1))
    engine.close()
    with pytest.raises(ValueError, match="the engine is closed; open it again"):
        engine.run(draw(1, 5, 6, 1))


def test_an_engine_is_closed_when_its_user_fails(grey: Path):
    with pytest.raises(KeyError), opened(grey / "unet.onnx") as engine:
        raise KeyError
    with pytest.raises(ValueError, match="closed"):
        engine.run(draw(1, 5, 6, 1))


@pytest.mark.parametrize(
    ("file", "name", "message"),
    [
        ("unet.onnx", "torch", r"torch runs \.safetensors files, not 'unet\.onnx'; that file "),
        ("unet.onnx", "torch", "that file runs with onnxruntime or openvino"),
        ("unet.safetensors", "onnxruntime", r"onnxruntime runs \.onnx files.* runs with torch"),
        ("unet.safetensors", "openvino", r"openvino runs \.onnx files"),
        ("none.onnx", "onnxruntime", r"none\.onnx: no such file; run the pipeline first"),
        ("none.onnx", "openvino", "no such file"),
        ("none.safetensors", "torch", "no such file"),
        ("unet.json", "onnxruntime", r"ONNX Runtime cannot load .*unet\.json"),
    ],
)
def test_a_file_that_the_engine_cannot_run_is_refused_with_advice(
    file: str, name: EngineName, message: str, grey: Path
):
    with pytest.raises(ModelFileError, match=message):
        open_engine(grey / file, name)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_graph_that_is_not_our_export_is_named(name: EngineName, tmp_path: Path):
    path = write_dark_model(tmp_path / "other.onnx", classes=None)
    with pytest.raises(ModelFileError, match=r"other\.onnx: .*lacks our metadata 'classes'"):
        open_engine(path, name)


def test_an_unknown_engine_is_refused_with_those_that_there_are(grey: Path):
    with pytest.raises(ValueError, match="no engine 'tflite'; expected one of onnxruntime, open"):
        open_engine(grey / "unet.onnx", "tflite")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "package", "advice"),
    [
        ("openvino", "openvino", "pip install openvino"),
        ("torch", "torch", r"pip install -r requirements\.txt"),
    ],
)
def test_a_package_that_is_missing_is_named_with_how_to_get_it(
    name: EngineName, package: str, advice: str, grey: Path, monkeypatch: pytest.MonkeyPatch
):
    for module in [*sys.modules]:
        if module.split(".")[0] == package or module.endswith(("n_engine", "o_engine", "d_engine")):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(PackagesError, match=f"{name} needs the package {package}.*{advice}"):
        open_engine(path_for(name, grey), name)


LOADED = """
import sys
from pathlib import Path
from defectseg.inference.open_engine import open_engine
open_engine(Path(sys.argv[1]), sys.argv[2])
print(*sorted({name.partition(".")[0] for name in sys.modules} & {*sys.argv[3:]}))
"""


@pytest.mark.parametrize(
    ("name", "expected"), [("onnxruntime", "onnxruntime"), ("openvino", "openvino")]
)
def test_an_engine_loads_no_package_of_another(name: EngineName, expected: str, grey: Path):
    packages = ["onnx", "onnxruntime", "openvino", "torch", "timm", "fastai"]
    packages += ["segmentation_models_pytorch", "torchvision"]
    result = subprocess.run(
        [sys.executable, "-c", LOADED, grey / "unet.onnx", name, *packages],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == expected
