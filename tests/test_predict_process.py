"""`defectseg predict` as a process: signals, pipes, full disks, kills, and what it imports."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drawn_model import read_lines, write_model, write_painted

WHOLE = "from defectseg.cli import app; app()"
ALONE = """
import sys, typer
from defectseg.commands.predict import predict
sys.argv.pop(1)
typer.run(predict)
"""  # the other commands take seconds to import
SECONDS = 60
pytestmark = pytest.mark.slow
HEAVY = ("torch", "fastai", "timm", "segmentation_models_pytorch", "torchvision")


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with models/unet.onnx, and more pictures than a process predicts at once."""
    write_model(tmp_path / "models/unet.onnx")
    first = write_painted(tmp_path / "in/000.png", "1.2")
    for number in range(1, 400):
        (tmp_path / f"in/{number:03}.png").write_bytes(first.read_bytes())
    return tmp_path


def start(
    folder: Path, *arguments: str, code: str = ALONE, **options: Any
) -> subprocess.Popen[str]:
    """The command in a process of its own, with pipes for its output."""
    return subprocess.Popen(
        [sys.executable, "-c", code, "predict", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    """Wait until something is so, at most a minute, while the process runs."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / "out/results.jsonl"
    text = path.read_text("utf-8") if path.exists() else ""
    return read_lines(text[: text.rfind("\n") + 1])


def ids(folder: Path) -> list[str]:
    return [line["image_id"] for line in lines(folder)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_says_how_to_go_on_and_goes_on(workplace: Path, number: signal.Signals):
    wished = ("in", "--out", "out", "--format", "png", "--format", "csv")
    process = start(workplace, *wished)
    wait_for(lambda: lines(workplace), process)
    process.send_signal(number)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert said.endswith("interrupted; the same command again goes on from here\n")
    done = ids(workplace)
    assert 0 < len(done) < 400
    assert done == sorted(done)
    assert not list(workplace.rglob("*.part"))

    again = start(workplace, *wished)
    _, said = again.communicate(timeout=SECONDS)
    assert again.returncode == 0
    assert f"({len(done)} more were done before and are skipped)" in said
    assert ids(workplace) == [f"in/{n:03}.png" for n in range(400)]


def test_a_killed_run_goes_on(workplace: Path):
    process = start(workplace, "in", "--out", "out")
    wait_for(lambda: lines(workplace), process)
    process.kill()
    process.communicate()
    again = start(workplace, "in", "--out", "out")
    _, said = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, said
    assert ids(workplace) == [f"in/{n:03}.png" for n in range(400)]


def test_a_reader_that_has_had_enough_ends_it_quietly(workplace: Path):
    process = start(workplace, "in")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["image_id"] == "in/000.png"
    process.stdout.close()
    assert process.wait(SECONDS) == 130
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert "Traceback" not in said
    assert "Exception" not in said


def test_a_full_disk_stops_at_once_and_what_was_finished_is_kept(workplace: Path):
    limit = 8_000  # bytes of a file, in the place of a disk

    def be_small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = start(workplace, "in", "--out", "out", preexec_fn=be_small)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "error: the results cannot be written to out: File too large; " in said
    assert "Traceback" not in said
    done = len(lines(workplace))
    assert 0 < done < 400
    again = start(workplace, "in", "--out", "out")
    _, said = again.communicate(timeout=SECONDS)
    assert f"({done} more were done before" in said
    assert len(lines(workplace)) == 400


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(workplace: Path):
    (workplace / "out").mkdir(mode=0o500)
    process = start(workplace, "in", "--out", "out")
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "Permission denied" in said


def test_a_watch_takes_what_is_there_and_what_comes_and_repeats_nothing(workplace: Path):
    wished = ("--watch", "camera", "--out", "out", "--poll", "0.05")
    write_painted(workplace / "camera/first.png", "1")
    process = start(workplace, *wished)
    wait_for(lambda: ids(workplace) == ["camera/first.png"], process)
    write_painted(workplace / "camera/line/second.png", "2")
    (workplace / "camera/half.png").write_bytes(b"\x89PNG")
    wait_for(lambda: len(lines(workplace)) == 3, process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert set(ids(workplace)) == {"camera/first.png", "camera/line/second.png", "camera/half.png"}
    assert said.count("half.png") == 1

    write_painted(workplace / "camera/third.png", ".")
    process = start(workplace, *wished)
    wait_for(lambda: "camera/third.png" in ids(workplace), process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "2 more were done before" in said
    assert len(set(ids(workplace))) == 4


def test_a_prediction_imports_none_of_the_training_packages(workplace: Path):
    told = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    process = start(workplace, "in/000.png", "--quiet", code=told + WHOLE)
    _, modules = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert "onnxruntime" in modules.split()
    assert set(HEAVY) & set(modules.split()) == set()


def test_the_command_alone_needs_little_before_it_is_known_to_be_right(workplace: Path):
    code = "import sys, defectseg.commands.predict; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    late = {"onnxruntime", "scipy", "pandas", "sklearn", "PIL", *HEAVY}
    assert late & set(told.stdout.split()) == set()
