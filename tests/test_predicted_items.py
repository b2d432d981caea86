"""predicted_items: what an exported model says about pictures, ready to be corrected."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import save_array
from dark_model import dark_point, write_dark_model
from defectseg.data.layouts.layout import Batch
from defectseg.errors import DataError
from defectseg.inference.open_engine import LoadedEngine, open_engine
from defectseg.inference.predicted_items import predict_items


def engine(folder: Path, **changes: str | None) -> LoadedEngine:
    return open_engine(write_dark_model(folder / "models/unet.onnx", **changes))


def test_a_prediction_has_mask_score_and_the_model_that_made_it(tmp_path: Path):
    values = np.array([[255, 128, 127], [200, 51, 255]], np.uint8)  # 127.5 is the threshold
    path = save_array(tmp_path / "a.png", values)
    (item,) = predict_items([("line__a", path)], engine(tmp_path))
    assert (item.id, item.picture) == ("line__a", path)
    assert item.mask.tolist() == [[0, 0, 2], [0, 2, 0]]
    assert item.score == pytest.approx(0.8)  # 1 − 51/255
    assert item.batch == Batch("defectseg model 0123456789ab", "", "defectseg")


def test_the_operating_point_of_the_model_is_taken(tmp_path: Path):
    path = save_array(tmp_path / "a.png", np.array([[100, 255, 51]], np.uint8))
    strict = dark_point(review=0.79, reject=0.79).model_dump_json()
    (item,) = predict_items([("a", path)], engine(tmp_path, operating_point=strict))
    assert item.mask.tolist() == [[0, 0, 2]]  # 1 − 100/255 is below 0.79


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
