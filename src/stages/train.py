"""Stage train: data/tiles and data/split.csv → models/unet.safetensors and models/unet.json."""

from pathlib import Path

from dvclive import Live

from defectseg.data.split import read_split
from defectseg.data.tile import read_tiles
from defectseg.determinism import ComputeParams, set_up
from defectseg.network.learner import Logs, TrainParams
from defectseg.network.training import train_model
from defectseg.params import read_params
from defectseg.stage import run_stage

TILES = Path("data/tiles")
SPLIT = Path("data/split.csv")
MODEL = Path("models/unet.safetensors")
CHECKPOINT = Path("models/checkpoint")
LOGS = Path("metrics/train")
SPEED = Path("metrics/speed")
ALONE = {"dvcyaml": None, "save_dvc_exp": False}  # dvc.yaml and the experiment are DVC's to write


def main() -> None:
    params = read_params("train", TrainParams)
    compute = read_params("compute", ComputeParams)
    device = set_up(compute)
    with Live(LOGS, **ALONE) as live, Live(SPEED, **ALONE) as speed:
        logs = Logs(live, speed, CHECKPOINT)
        tiles, split = read_tiles(TILES), read_split(SPLIT)
        info = train_model(tiles, split, params, compute.seed, device, logs, MODEL)
    print(f"train: best epoch {info.best_epoch} of {params.epochs}")


if __name__ == "__main__":
    run_stage(main)
