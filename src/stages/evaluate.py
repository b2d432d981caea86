"""Stage evaluate: the model → its operating point, chosen on valid, and its scores on test."""

from pathlib import Path

import defectseg.stage
from defectseg.data.split import read_split
from defectseg.data.tile import read_tiles
from defectseg.determinism import ComputeParams, set_up
from defectseg.evaluation.evaluate import EvaluateParams, evaluate_model
from defectseg.evaluation.history import read_history
from defectseg.evaluation.outputs import Outputs
from defectseg.inference.operating_point import neutral_point
from defectseg.inference.torch_engine import TorchEngine
from defectseg.network.unet import load_unet
from defectseg.params import read_params

TILES, SPLIT = Path("data/tiles"), Path("data/split.csv")
MODEL, TRAINING = Path("models/unet.safetensors"), Path("metrics/train")
OUTPUTS = Outputs(
    Path("models/operating_point.json"),
    Path("metrics/evaluate.json"),
    Path("metrics/per_image.csv"),
    *(Path("metrics/plots"), Path("metrics/gallery.png"), Path("metrics/report")),
    *(Path("docs/model_card.md"), Path("metrics/gates.json")),
)


def main() -> None:
    params = read_params("evaluate", EvaluateParams)
    compute = read_params("compute", ComputeParams)
    device, (network, info) = set_up(compute), load_unet(MODEL)
    engine = TorchEngine(network, info.image_size, neutral_point(info.classes), device)
    parts, log = (read_tiles(TILES), read_split(SPLIT)), read_history(TRAINING)
    said = evaluate_model(engine, info, *parts, params, compute.seed, log, OUTPUTS)
    rates = f"escape rate {said['escape_rate']}, false-alarm rate {said['false_alarm_rate']}"
    print(f"evaluate: macro IoU {said['iou_macro']}, {rates}")


if __name__ == "__main__":
    defectseg.stage.run_stage(main)
