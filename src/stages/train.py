"""Stage train: data/tiles and data/split.csv → models/unet.safetensors and models/unet.json."""

from pathlib import Path

import defectseg.stage
from defectseg.data.split import read_split
from defectseg.data.tile import read_tiles
from defectseg.determinism import ComputeParams, set_up
from defectseg.network.checkpoint import remove_checkpoint
from defectseg.network.learner import TrainParams
from defectseg.network.processes import ran_in_processes
from defectseg.network.training import ModelFiles, open_logs, train_model
from defectseg.params import read_params

TILES = Path("data/tiles")
SPLIT = Path("data/split.csv")
MODEL = ModelFiles(Path("models/unet.safetensors"), Path("models/unet.run.json"))
CHECKPOINT = Path("models/checkpoint")
LOGS = Path("metrics/train")
SPEED = Path("metrics/speed")


def main() -> None:
    params = read_params("train", TrainParams)
    compute = read_params("compute", ComputeParams)
    if ran_in_processes(Path(__file__), compute.processes):
        return
    device = set_up(compute)
    with open_logs(LOGS, SPEED, CHECKPOINT) as logs:
        tiles, split = read_tiles(TILES), read_split(SPLIT)
        info = train_model(tiles, split, params, compute.seed, device, logs, MODEL)
    print(f"train: kept epoch {info.best_epoch} of {params.epochs}")


def finish() -> None:
    remove_checkpoint(CHECKPOINT)


if __name__ == "__main__":
    defectseg.stage.run_stage(main, finish)
