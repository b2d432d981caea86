"""learner: the same training gives the same network, also when it was interrupted."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dvclive import Live
from safetensors import safe_open

from defectseg.confusion import count_pixels, iou_by_class, iou_macro
from defectseg.data.tile import CLEAN, TileSet
from defectseg.errors import TrainingError
from defectseg.network.decoded import decode_tiles
from defectseg.network.learner import Logs, Trained, train_unet
from defectseg.network.loss import SegmentationLoss
from defectseg.pixels import standardize
from tiny import CLASSES, train_params, write_tiles

KINDS = ("crack", "blowhole", CLEAN)
TRAIN, VALID = [f"t{n:02}" for n in range(8)], [f"t{n:02}" for n in range(8, 12)]
CHECKPOINT = "models/checkpoint/last.safetensors"


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    """Twelve tiles: eight to train on, four to judge by."""
    return write_tiles(tmp_path_factory.mktemp("tiles"), KINDS * 4)


# Runs in processes of their own: as a stage trains, and to be killed.

RUN = """
import os, signal, sys
from pathlib import Path

from defectseg.data.split import Split
from defectseg.data.tile import read_tiles
from defectseg.determinism import ComputeParams, set_up
from defectseg.network.checkpoint import remove_checkpoint
from defectseg.network.training import ModelFiles, open_logs, train_model
from test_learner import TRAIN, VALID
from tiny import train_params

tiles, folder, resume, event, ending, left = sys.argv[1:]
left = int(left)

def kill_at(name, args):
    global left
    path = args[{"os.rename": 1}.get(name, 0)] if name == event else None
    if isinstance(path, (str, os.PathLike)) and str(path).endswith(ending):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill_at)
os.chdir(folder)
device = set_up(ComputeParams(seed=0, threads=1, device="cpu"))
split = Split(dict.fromkeys(TRAIN, "train") | dict.fromkeys(VALID, "valid"))
params = train_params(resume=resume == "True")
checkpoint = Path("models/checkpoint")
with open_logs(Path("logs"), Path("speed"), checkpoint) as logs:
    files = ModelFiles(Path("models/unet.safetensors"), Path("models/unet.run.json"))
    train_model(read_tiles(Path(tiles)), split, params, 0, device, logs, files)
remove_checkpoint(checkpoint)
"""
NEVER = ("", "", 0)
MOMENTS = {  # what happens, to which file, for the how manieth time
    "while the third checkpoint is written": ("os.rename", CHECKPOINT, 3),
    "between the third checkpoint and its log": ("open", "valid_loss.tsv", 5),
    "before the weights are there": ("os.rename", "models/unet.safetensors", 1),
    "between weights and JSON": ("os.rename", "models/unet.json", 1),
    "between JSON and record": ("os.rename", "models/unet.run.json", 1),
    "before the checkpoint is removed": ("os.remove", CHECKPOINT, 1),
}
LAST = dict.fromkeys(list(MOMENTS)[2:], 3)  # epochs from which a run goes on, counted from 0
EPOCHS = {
    "while the third checkpoint is written": 1,
    "between the third checkpoint and its log": 2,
} | LAST


def run(
    tiles: TileSet, folder: Path, moment: tuple[str, str, int] = NEVER, resume: bool = True
) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    told = [tiles.folder, folder, resume, *moment]
    return subprocess.run(
        [sys.executable, "-c", RUN, *map(str, told)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )


def written(folder: Path) -> dict[str, bytes]:
    """What a run wrote, but for its speed and its record, which are never the same twice."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    varying = ("speed/", "models/unet.run.json")
    return {n: path.read_bytes() for n, path in names.items() if not n.startswith(varying)}


@pytest.fixture(scope="module")
def whole(tiles: TileSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    done = run(tiles, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def killed(
    tiles: TileSet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, Path], Path]]:
    """Gives a copy of the folder of a run that was killed at a moment."""
    folders: dict[str, Path] = {}

    def copy(name: str, target: Path) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("killed")
            assert run(tiles, folders[name], MOMENTS[name]).returncode == -signal.SIGKILL
        shutil.copytree(folders[name], target)
        return target

    yield copy


@pytest.mark.slow
def test_training_twice_gives_the_same_bytes(tiles: TileSet, whole: Path, tmp_path: Path):
    assert run(tiles, tmp_path / "again").returncode == 0
    again = written(tmp_path / "again")
    models = {name for name in again if name.startswith("models/")}
    assert models == {"models/unet.safetensors", "models/unet.json"}
    assert "logs/plots/metrics/valid_iou_macro.tsv" in again
    assert again == written(whole)


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_run_goes_on_and_writes_the_same_bytes(
    moment: str, tiles: TileSet, whole: Path, tmp_path: Path, killed: Callable[[str, Path], Path]
):
    folder = killed(moment, tmp_path / "killed")
    assert progress_of(folder)["epoch"] == EPOCHS[moment]
    done = run(tiles, folder)
    assert done.returncode == 0, done.stderr
    assert f"train: resuming after epoch {EPOCHS[moment]}\n" in done.stdout
    assert epochs_trained(folder) == 3 - EPOCHS[moment]
    assert written(folder) == written(whole)


def epochs_trained(folder: Path) -> int:
    """How many epochs the last run of a folder has trained: each is logged with its speed."""
    path = folder / "speed/plots/metrics/pictures_per_second.tsv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


@pytest.mark.slow
def test_without_resume_an_interrupted_run_starts_anew(
    tiles: TileSet, whole: Path, tmp_path: Path, killed: Callable[[str, Path], Path]
):
    folder = killed("between the third checkpoint and its log", tmp_path / "killed")
    done = run(tiles, folder, resume=False)
    assert done.returncode == 0, done.stderr
    assert "resuming" not in done.stdout
    assert epochs_trained(folder) == 4
    assert written(folder) == written(whole)


@pytest.mark.slow
def test_a_finished_training_starts_anew_and_writes_the_same_bytes(
    tiles: TileSet, whole: Path, tmp_path: Path
):
    folder = tmp_path / "finished"
    shutil.copytree(whole, folder)
    done = run(tiles, folder)
    assert done.returncode == 0, done.stderr
    assert "resuming" not in done.stdout
    assert epochs_trained(folder) == 4
    assert written(folder) == written(whole)


@pytest.mark.slow
def test_a_checkpoint_is_safetensors_with_all_that_a_run_needs(
    tmp_path: Path, killed: Callable[[str, Path], Path]
):
    folder = killed("before the weights are there", tmp_path / "killed")
    with safe_open(folder / CHECKPOINT, framework="pt") as file:
        parts = {name.partition(".")[0] for name in file.keys()}  # noqa: SIM118 - it is no dict
    assert parts == {"network", "average", "best", "optimizer"}
    progress = progress_of(folder)
    assert progress.keys() == {"fingerprint", "epoch", "best_epoch", "best_score", "history"}
    assert len(progress["history"]) == 4


def progress_of(folder: Path) -> dict[str, Any]:
    with safe_open(folder / CHECKPOINT, framework="pt") as file:
        found: dict[str, Any] = json.loads(file.metadata()["defectseg"])
    return found


@pytest.mark.slow
def test_every_epoch_is_logged_with_its_losses_scores_and_learning_rate(whole: Path):
    last = json.loads((whole / "logs/metrics.json").read_text())
    scores = {f"valid_{name}" for name in ("dice", "iou_macro", *(f"iou_{c}" for c in CLASSES))}
    assert last.keys() == {"train_loss", "valid_loss", "learning_rate", "step"} | scores
    for name in last.keys() - {"step"}:
        with (whole / f"logs/plots/metrics/{name}.tsv").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        assert [int(row["step"]) for row in rows] == [0, 1, 2, 3]
    shown = sorted(path.name for path in (whole / "logs/plots/images").iterdir())
    assert shown == ["t09.png", "t10.png"]  # the valid pictures with a defect


@pytest.mark.slow
def test_speed_is_logged_apart(whole: Path):
    last = json.loads((whole / "speed/metrics.json").read_text())
    assert last.keys() == {"pictures_per_second", "peak_memory_mb", "step"}
    assert last["pictures_per_second"] > 0


# Runs in this process.


@pytest.fixture
def train(
    tiles: TileSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Trained]:
    """Trains with some params changed."""
    monkeypatch.chdir(tmp_path)

    def trained(part: list[str] = TRAIN, **changes: Any) -> Trained:
        params = train_params(**changes)
        size, channels = params.image_size, params.network.in_channels
        chosen, valid = tiles.only(part), tiles.only(VALID)
        torch.manual_seed(0)
        with (
            Live("logs", dvcyaml=None, save_dvc_exp=False) as live,
            Live("speed", dvcyaml=None, save_dvc_exp=False) as speed,
        ):
            return train_unet(
                decode_tiles(chosen, size, channels, "train"),
                decode_tiles(valid, size, channels, "valid"),
                params,
                Logs(live, speed, tmp_path / "checkpoint"),
                "fingerprint",
                torch.device("cpu"),
                0,
            )

    return trained


def test_the_network_has_the_weights_of_its_best_epoch(
    tiles: TileSet, train: Callable[..., Trained]
):
    # It stops at the first epoch that is no better than the one before: the last is not the best.
    trained = train(patience=1, epochs=40, learning_rate=0.05)
    scores = [epoch["valid_iou_macro"] for epoch in trained.progress.history]
    best = trained.progress.best_epoch
    assert best == int(np.argmax(scores))
    assert scores[best] > 1.02 * scores[-1]
    confusion = judge(trained.network, tiles.only(VALID))
    assert float(iou_macro(confusion)) == pytest.approx(scores[best], rel=1e-3)
    for name, value in iou_by_class(confusion, CLASSES).items():
        logged = trained.progress.history[best][f"valid_{name}"]
        assert np.nan_to_num(value) == pytest.approx(logged, rel=1e-3)


def test_the_last_weights_are_kept_where_that_is_asked_for(
    tiles: TileSet, train: Callable[..., Trained]
):
    best, last = (
        train(keep=keep, epochs=8, learning_rate=0.05, resume=False) for keep in ("best", "last")
    )
    assert best.progress.history == last.progress.history
    scores = [epoch["valid_iou_macro"] for epoch in last.progress.history]
    assert best.progress.best_epoch < last.progress.best_epoch == 7
    assert max(scores) > 1.02 * scores[7]
    confusion = judge(last.network, tiles.only(VALID))
    assert float(iou_macro(confusion)) == pytest.approx(scores[7], rel=1e-3)


def judge(network: torch.nn.Module, valid: TileSet) -> Any:
    """Count the confusion (M, M) of a network at its own size, all pictures at once.

    The training looks at them in one batch as well: other batches have other last digits.
    """
    decoded = decode_tiles(valid, 64, 1, "judge")
    images = torch.stack(list(decoded.pictures)).permute(0, 3, 1, 2).float() / 255.0
    with torch.inference_mode():
        pred_masks = network(standardize(images)).argmax(1).numpy()
    masks = torch.stack(list(decoded.masks)).numpy()
    return count_pixels(pred_masks, masks, len(CLASSES))


def test_the_average_is_what_is_judged_and_not_what_is_trained(train: Callable[..., Trained]):
    alone, averaged = (train(weight_average=decay, resume=False) for decay in (0.0, 0.9))
    losses = [[e["train_loss"] for e in one.progress.history] for one in (alone, averaged)]
    assert losses[0] == losses[1]
    scores = [[e["valid_loss"] for e in one.progress.history] for one in (alone, averaged)]
    assert scores[0] != scores[1]


def test_training_learns(train: Callable[..., Trained]):
    history = train(epochs=12, pictures_per_epoch=16).progress.history
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]
    assert max(epoch["valid_dice"] for epoch in history) > 0.6


def test_training_learns_from_patches_and_looks_at_whole_pictures(
    train: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
):
    sides = {"train": set[int](), "valid": set[int]()}
    loss = SegmentationLoss.forward

    def noted(self: SegmentationLoss, logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        sides["train" if logits.requires_grad else "valid"].add(masks.shape[-1])
        return loss(self, logits, masks)

    monkeypatch.setattr(SegmentationLoss, "forward", noted)
    patch = {"size": 32, "on_defect": 0.8}
    history = train(epochs=12, pictures_per_epoch=16, patch=patch).progress.history
    assert sides == {"train": {32}, "valid": {64}}
    assert max(epoch["valid_dice"] for epoch in history) > 0.5


def test_training_stops_early_when_nothing_improves(train: Callable[..., Trained]):
    progress = train(epochs=30, patience=2, learning_rate=1e-9).progress
    assert progress.epoch == progress.best_epoch + 2 < 29


def test_a_training_that_stopped_early_is_not_trained_on_when_it_is_resumed(
    train: Callable[..., Trained], tmp_path: Path
):
    first = train(epochs=30, patience=2, learning_rate=1e-9)
    shown = drawn(tmp_path)
    again = train(epochs=30, patience=2, learning_rate=1e-9)
    assert again.progress == first.progress
    weights, same = first.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert drawn(tmp_path) == shown
    assert len(shown) == 2


def drawn(folder: Path) -> dict[str, bytes]:
    """The pictures that DVCLive holds of the valid part."""
    images = folder / "logs/plots/images"
    return {path.name: path.read_bytes() for path in images.iterdir()}


def test_a_loss_that_is_no_number_says_what_to_lower(train: Callable[..., Trained]):
    with pytest.raises(TrainingError, match=r"the loss became (nan|inf) in epoch \d; lower train"):
        train(learning_rate=1e20)


def test_a_train_part_without_a_defect_has_nothing_to_learn(train: Callable[..., Trained]):
    with pytest.raises(TrainingError, match="none of the 2 train pictures shows a defect"):
        train(["t02", "t05"])


def test_a_network_of_three_channels_trains_in_bfloat16(train: Callable[..., Trained]):
    network = train_params().network.model_dump() | {"in_channels": 3}
    trained = train(network=network, precision="bfloat16", epochs=1)
    assert {value.dtype for value in trained.network.parameters()} == {torch.float32}
    assert all(value.isfinite().all() for value in trained.network.parameters())


def test_a_compiled_network_learns_the_same_to_rounding(
    train: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
):
    # All of torch.compile but the C++ compiler, which takes minutes: it was run once by hand.
    traced = []
    compile_it = torch.nn.Module.compile

    def trace(network: torch.nn.Module) -> None:
        traced.append(network)
        compile_it(network, backend="aot_eager")

    monkeypatch.setattr(torch.nn.Module, "compile", trace)
    plain, compiled = (train(compile=on, epochs=1, resume=False) for on in (False, True))
    assert traced == [compiled.network]
    losses = [one.progress.history[0]["train_loss"] for one in (plain, compiled)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert plain.network.state_dict().keys() == compiled.network.state_dict().keys()
