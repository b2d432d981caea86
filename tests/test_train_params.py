"""params.yaml: train: what does not fit is refused with what would."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from defectseg.errors import ParamsError
from defectseg.network.learner import TrainParams
from defectseg.params import read_params
from tiny import train_params


@pytest.mark.parametrize(("wrong", "near"), [(100, 96), (159, 160), (33, 32)])
def test_an_image_size_that_the_encoder_cannot_halve_names_one_that_it_can(
    wrong: int, near: int, tmp_path: Path
):
    message = rf"train\.image_size: .*a multiple of 32, such as {near} \(got {wrong}\)"
    refuse(tmp_path, message, image_size=wrong)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (96, r"patch\.size 96 is more than image_size 64: a patch is cut out of the resized pic"),
        (40, r"train\.patch\.size: .*a multiple of 32, such as 32 \(got 40\)"),
    ],
)
def test_a_patch_that_does_not_fit_says_what_would(size: int, message: str, tmp_path: Path):
    refuse(tmp_path, message, patch={"size": size, "on_defect": 0.5})


def test_patience_is_refused_where_the_last_epoch_is_kept(tmp_path: Path):
    message = (
        r"patience 3 waits for a better epoch, but keep: last .*say keep: best, or patience: 0"
    )
    refuse(tmp_path, message, patience=3, keep="last")


def refuse(folder: Path, message: str, **changes: Any) -> None:
    """A params.yaml with these changes is refused."""
    params = train_params().model_dump(mode="json") | changes
    (folder / "params.yaml").write_text(yaml.safe_dump({"train": params}))
    with pytest.raises(ParamsError, match=message):
        read_params("train", TrainParams, folder / "params.yaml")
