"""trained_engine: trained weights run by torch; tests/test_open_engine.py has the rest."""

from pathlib import Path

import pytest
import torch

from defectseg.errors import ModelFileError
from defectseg.evaluation.trained_engine import TrainedEngine
from defectseg.inference.operating_point import neutral_point, write_point
from model_files import write_model_files


def test_torch_takes_the_number_of_threads(tmp_path: Path):
    before = torch.get_num_threads()
    try:
        TrainedEngine(write_model_files(tmp_path) / "unet.safetensors", threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("missing", ["unet.json", "operating_point.json"])
def test_a_file_that_is_missing_beside_the_weights_is_named(missing: str, tmp_path: Path):
    folder = write_model_files(tmp_path)
    (folder / missing).unlink()
    with pytest.raises(ModelFileError, match=rf"{missing}.* first"):
        TrainedEngine(folder / "unet.safetensors")


def test_an_operating_point_of_another_model_is_refused(tmp_path: Path):
    folder = write_model_files(tmp_path)
    write_point(folder / "operating_point.json", neutral_point(["fray"]))
    with pytest.raises(ModelFileError, match=r"are of two models: classes \('crack', 'blowhole'\)"):
        TrainedEngine(folder / "unet.safetensors")
