"""stage: how a stage script ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from defectseg.errors import DataError
from defectseg.stage import run_stage


def test_an_error_of_ours_is_one_message_and_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def main() -> None:
        raise DataError("the masks are upside down; turn them")

    monkeypatch.setattr(sys, "argv", ["src/stages/data_load.py"])
    with pytest.raises(SystemExit) as ended:
        run_stage(main)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "data_load: error: the masks are upside down; turn them\n"


def test_an_interrupted_stage_has_the_status_of_shells():
    def main() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        run_stage(main)
    assert ended.value.code == 130


def test_a_bug_keeps_its_traceback():
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_stage(main)


def test_a_stage_that_ends_well_says_nothing(capsys: pytest.CaptureFixture[str]):
    run_stage(lambda: None)
    assert capsys.readouterr() == ("", "")


def test_data_load_without_params_says_what_is_missing(tmp_path: Path):
    script = Path(__file__).parents[1] / "src/stages/data_load.py"
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("data_load: error: params.yaml cannot be read")
    assert "Traceback" not in done.stderr
