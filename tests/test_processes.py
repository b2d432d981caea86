"""processes: two that train together learn what one learns, and write once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from defectseg.data.tile import CLEAN
from defectseg.errors import TrainingError
from defectseg.network.processes import average, ran_in_processes, rank, share_of
from tiny import write_tiles

KINDS = ("crack", "blowhole", CLEAN)
TRAIN = """
import sys
from pathlib import Path

from defectseg.data.split import Split
from defectseg.data.tile import read_tiles
from defectseg.determinism import ComputeParams, set_up
from defectseg.network.processes import ran_in_processes
from defectseg.network.training import ModelFiles, open_logs, train_model
from tiny import train_params

if ran_in_processes(Path(__file__), int(Path("processes").read_text())):
    sys.exit()
tiles = read_tiles(Path("tiles"))
parts = {tile.id: "valid" if tile.id >= "t24" else "train" for tile in tiles.tiles}
params = train_params(batch_size=16, pictures_per_epoch=96, epochs=4, learning_rate=0.005)
device = set_up(ComputeParams(seed=0, threads=1, device="cpu"))
with open_logs(Path("logs"), Path("speed"), Path("checkpoint")) as logs:
    files = ModelFiles(Path("unet.safetensors"), Path("unet.run.json"))
    train_model(tiles, Split(parts), params, 0, device, logs, files)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The folders of the same training in one and in two processes."""
    folders = {}
    for processes in (1, 2):
        folder = tmp_path_factory.mktemp("trained")
        write_tiles(folder / "tiles", KINDS * 10)
        (folder / "processes").write_text(str(processes))
        (folder / "train.py").write_text(TRAIN)
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "train.py"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        folders[processes] = folder
    return folders


def losses(folder: Path, name: str) -> list[float]:
    lines = (folder / f"logs/plots/metrics/{name}.tsv").read_text().splitlines()
    return [float(line.split("\t")[1]) for line in lines[1:]]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "near"), [("train_loss", 0.04), ("valid_loss", 0.05)])
def test_two_processes_have_the_loss_curve_of_one(trained: dict[int, Path], name: str, near: float):
    # Batch norm and Dice see half a batch each, so the curves are close and not the same: at most
    # 2 and 3 % apart. Without the averaged gradients they are 5 and 8 %.
    one, two = (losses(trained[processes], name) for processes in (1, 2))
    assert len(one) == len(two) == 4
    assert two == pytest.approx(one, rel=near)
    assert one[-1] < 0.85 * one[0]


@pytest.mark.slow
def test_the_first_process_alone_writes(trained: dict[int, Path]):
    one, two = (
        {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for folder in trained.values()
    )
    assert one == two
    record = json.loads((trained[2] / "unet.run.json").read_text())
    assert (record["processes"], record["epochs"]) == (2, 4)
    assert [len(losses(folder, "valid_dice")) for folder in trained.values()] == [4, 4]


@pytest.mark.slow
def test_the_weights_are_finite_and_near_those_of_one(trained: dict[int, Path]):
    one, two = (load_file(folder / "unet.safetensors") for folder in trained.values())
    assert one.keys() == two.keys()
    assert all(value.isfinite().all() for value in two.values())
    start, far = "segmentation_head.0.weight", 0.3
    assert torch.linalg.norm(one[start] - two[start]) < far * torch.linalg.norm(one[start])


def test_shares_make_up_the_batch_and_too_small_a_batch_is_refused(
    monkeypatch: pytest.MonkeyPatch,
):
    batch = torch.arange(7)
    monkeypatch.setenv("WORLD_SIZE", "3")
    shares = []
    for number in range(3):
        monkeypatch.setenv("RANK", str(number))
        shares.append(share_of(batch))
    assert torch.equal(torch.cat(shares), batch)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    with pytest.raises(TrainingError, match="2 pictures cannot be shared by 3 processes"):
        share_of(batch[:2])


def test_one_process_has_all_and_averages_nothing():
    values = [torch.tensor([1.0, 2.0])]
    average(values)
    assert values[0].tolist() == [1.0, 2.0]
    assert rank() == 0
    assert share_of(torch.arange(4)).tolist() == [0, 1, 2, 3]


def test_a_process_that_fails_is_said(tmp_path: Path):
    (tmp_path / "train.py").write_text("raise SystemExit(3)")
    assert not ran_in_processes(tmp_path / "train.py", 1)
    with pytest.raises(TrainingError, match="one of 2 processes failed"):
        ran_in_processes(tmp_path / "train.py", 2)
