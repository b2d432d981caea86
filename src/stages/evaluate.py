"""Stage evaluate: the model and the test part → metrics/evaluate.json, plots and a gallery."""

from pathlib import Path

from defectseg.data.split import read_split
from defectseg.data.tile import read_tiles
from defectseg.determinism import ComputeParams, set_up
from defectseg.evaluation.evaluate import EvaluateParams, Outputs, evaluate_model
from defectseg.inference.torch_engine import TorchEngine
from defectseg.network.unet import load_unet
from defectseg.params import read_params
from defectseg.stage import run_stage

TILES = Path("data/tiles")
SPLIT = Path("data/split.csv")
MODEL = Path("models/unet.safetensors")
METRICS = Path("metrics/evaluate.json")
PER_IMAGE = Path("metrics/per_image.csv")
PLOTS = Path("metrics/plots")
GALLERY = Path("metrics/gallery.png")


def main() -> None:
    params = read_params("evaluate", EvaluateParams)
    compute = read_params("compute", ComputeParams)
    device = set_up(compute)
    network, info = load_unet(MODEL)
    test = read_tiles(TILES).only(read_split(SPLIT).ids("test"))
    engine = TorchEngine(network, info.image_size, device)
    outputs = Outputs(METRICS, PER_IMAGE, PLOTS, GALLERY)
    scores = evaluate_model(engine, info, test, params, compute.seed, outputs)
    print(f"evaluate: Dice {scores['dice_pooled']}, macro IoU {scores['iou_macro']}")


if __name__ == "__main__":
    run_stage(main)
