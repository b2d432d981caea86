"""benchmarks/magnetic_tiles/experiment.py: a setting as one DVC experiment of the pipeline."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from defectseg.data.beside import BesideParams
from defectseg.data.load import LoadParams
from defectseg.errors import ParamsError
from defectseg.evaluation.evaluate import EvaluateParams
from defectseg.network.learner import TrainParams
from defectseg.network.training import ModelFiles
from defectseg.params import PARAMS, read_params

BENCHMARK = Path(__file__).parents[1] / "benchmarks/magnetic_tiles"
sys.path.insert(0, str(BENCHMARK))

import experiment  # noqa: E402
import settings  # noqa: E402

SETTINGS = [settings.read_setting(name) for name in settings.setting_names()]
WITHIN = [each for each in SETTINGS if not any(getattr(each, key) for key in experiment.BEYOND)]
NONE = BesideParams(tiles=None, share=0.5)
START = ModelFiles(Path("runs/it's there/unet.safetensors"), Path("unet.run.json"))


@pytest.mark.parametrize("setting", WITHIN, ids=lambda setting: setting.name)
def test_dvc_makes_the_settings_params_of_the_overrides(
    setting: settings.Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copy(PARAMS, tmp_path / "params.yaml")
    source = "/some where/O'Brien's, tiles=all.zip"
    start = START if setting.pretrain else None
    drawn = BesideParams(tiles="drawn/it's here/tiles", share=0.25)
    beside = drawn if setting.drawn_share else setting.train.beside
    command = experiment.as_command(setting, start, beside, source, [])
    assert command[:5] == ["dvc", "exp", "run", "--name", "magnetic-tiles"]
    assert set(command[5::2]) == {"-S"}
    apply_overrides(tmp_path / "params.yaml", command[6::2])
    monkeypatch.chdir(tmp_path)
    trained = read_params("train", TrainParams)
    begun = str(START.weights) if start else None
    told = {"compile": False, "start_from": begun, "beside": beside}
    assert trained == setting.train.model_copy(update=told)
    assert read_params("data_load", LoadParams).source == source
    gates = read_params("evaluate", EvaluateParams).gates
    assert gates == dict.fromkeys(["iou_macro", "escape_rate", "false_alarm_rate"])


@pytest.mark.parametrize("further", [[], ["-S", "train.epochs=1"]])
def test_what_follows_two_dashes_is_for_dvc_and_comes_last(further: list[str]):
    arguments, came = experiment.parse_arguments(["plain", "--source", "here", "--", *further])
    assert (arguments.setting, arguments.source, came) == ("plain", "here", further)
    command = experiment.as_command(settings.read_setting("whole"), None, NONE, "here", further)
    assert command[len(command) - len(further) :] == further


def test_what_the_pipeline_cannot_do_is_refused_by_name():
    with pytest.raises(ParamsError, match=r"more_mild_flipped asks for goes_on, flips, which one"):
        experiment.check(settings.read_setting("more_mild_flipped"))
    experiment.check(settings.read_setting("whole"))


def test_the_command_line_says_which_settings_there_are():
    script = BENCHMARK / "experiment.py"
    done = subprocess.run(
        [sys.executable, script, "wohle"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "'wohle'" in done.stderr
    assert "whole" in done.stderr
