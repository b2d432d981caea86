"""predicted_items: what an exported model says about pictures, ready to be corrected.

The model of these tests is drawn by hand: a pixel of value v has the defect probability 1 − v/255,
a quarter of it crack and three quarters blowhole.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from conftest import save_array
from defectseg.data.layouts.layout import Batch
from defectseg.errors import DataError, ModelFileError
from defectseg.inference.onnx_engine import ModelFacts, OnnxEngine
from defectseg.inference.predicted_items import predict_items

METADATA = {
    "classes": "crack,blowhole",
    "threshold": "0.5",
    "in_channels": "1",
    "weights_sha256": "0123456789abcdef" * 4,
}


def write_model(path: Path, **changes: str | None) -> Path:
    """Write the model; of colours it sees the brightest. None leaves a key of the metadata out."""
    metadata = {key: value for key, value in (METADATA | changes).items() if value is not None}
    node, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    numbers = {"white": [255], "one": [1], "quarter": [0.25], "rest": [0.75]}
    constants = [constant(np.array(v, np.float32), name) for name, v in numbers.items()]
    nodes = [
        node("Cast", ["pictures"], ["values"], to=onnx.TensorProto.FLOAT),
        node("Transpose", ["values"], ["channels_first"], perm=[0, 3, 1, 2]),
        node("ReduceMax", ["channels_first", "axis"], ["brightest"], keepdims=1),
        node("Div", ["brightest", "white"], ["background"]),
        node("Sub", ["one", "background"], ["defect"]),
        node("Mul", ["defect", "quarter"], ["crack"]),
        node("Mul", ["defect", "rest"], ["blowhole"]),
        node("Concat", ["background", "crack", "blowhole"], ["probability"], axis=1),
    ]
    taken = onnx.helper.make_tensor_value_info("pictures", onnx.TensorProto.UINT8, [*"nhwc"])
    given = onnx.helper.make_tensor_value_info("probability", onnx.TensorProto.FLOAT, [*"nkhw"])
    constants.append(constant(np.array([1], np.int64), "axis"))
    graph = onnx.helper.make_graph(nodes, "drawn", [taken], [given], constants)
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    onnx.helper.set_model_props(model, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def engine(folder: Path, **changes: str | None) -> OnnxEngine:
    return OnnxEngine(write_model(folder / "models/unet.onnx", **changes), threads=1)


def test_a_prediction_has_mask_score_and_the_model_that_made_it(tmp_path: Path):
    values = np.array([[255, 128, 127], [200, 51, 255]], np.uint8)  # 127.5 is the threshold
    path = save_array(tmp_path / "a.png", values)
    (item,) = predict_items([("line__a", path)], engine(tmp_path))
    assert (item.id, item.picture) == ("line__a", path)
    assert item.mask.tolist() == [[0, 0, 2], [0, 2, 0]]
    assert item.score == pytest.approx(0.8)  # 1 − 51/255
    assert item.batch == Batch("defectseg model 0123456789ab", "", "defectseg")


def test_the_threshold_of_the_model_is_taken(tmp_path: Path):
    path = save_array(tmp_path / "a.png", np.array([[255, 128, 51]], np.uint8))
    (item,) = predict_items([("a", path)], engine(tmp_path, threshold="0.79"))
    assert item.mask.tolist() == [[0, 0, 2]]


def test_the_model_says_whether_it_sees_colours(tmp_path: Path):
    red = np.zeros((1, 2, 3), np.uint8)
    red[0, 0] = [255, 0, 0]  # the brightest channel is white; as grey it is 76
    path = save_array(tmp_path / "a.png", red)
    (colour,) = predict_items([("a", path)], engine(tmp_path, in_channels="3"))
    (grey,) = predict_items([("a", path)], engine(tmp_path, in_channels="1"))
    assert (colour.mask.tolist(), grey.mask.tolist()) == ([[0, 2]], [[2, 2]])


def test_a_picture_is_predicted_as_its_exif_turns_it(tmp_path: Path):
    picture = Image.fromarray(np.array([[0, 255, 255]], np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90 degrees
    picture.save(tmp_path / "a.png", exif=exif)
    (item,) = predict_items([("a", tmp_path / "a.png")], engine(tmp_path))
    assert item.mask.tolist() == [[2], [0], [0]]


@pytest.mark.parametrize("content", [b"no picture", None])
def test_a_picture_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path):
    good = save_array(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    if content is not None:
        (tmp_path / "b.png").write_bytes(content)
    items = predict_items([("a", good), ("b", tmp_path / "b.png")], engine(tmp_path))
    assert next(items).id == "a"  # one at a time: nothing was read before it was asked for
    with pytest.raises(DataError, match=r"b\.png cannot be predicted: "):
        next(items)


def test_the_file_says_what_a_caller_must_know(tmp_path: Path):
    facts = ModelFacts(("crack", "blowhole"), 0.5, 1, METADATA["weights_sha256"])
    assert engine(tmp_path).facts == facts


@pytest.mark.parametrize(
    "change",
    [*({key: None} for key in METADATA), {"threshold": "high"}, {"in_channels": "grey"}],
    ids=str,
)
def test_a_file_that_is_not_our_export_says_so(change: dict[str, str | None], tmp_path: Path):
    with pytest.raises(ModelFileError, match=r"lacks our metadata .* the stage export"):
        _ = engine(tmp_path, **change).facts
