"""Stage export: models/unet.safetensors → models/unet.onnx and variants that agree with torch."""

from pathlib import Path

import defectseg.stage
from defectseg.data.split import read_split
from defectseg.data.tile import read_tiles
from defectseg.determinism import ComputeParams, set_up
from defectseg.export.export import ExportParams, Outputs, Trained, export_model
from defectseg.export.gates import refuse_failed_gates
from defectseg.inference.operating_point import read_point
from defectseg.network.unet import load_unet
from defectseg.params import read_params

TILES = Path("data/tiles")
SPLIT = Path("data/split.csv")
MODEL = Path("models/unet.safetensors")
POINT = Path("models/operating_point.json")
GATES = Path("metrics/gates.json")
ONNX = Path("models/unet.onnx")
VARIANTS = Path("models/variants")
README = Path("models/README.md")
METRICS = Path("metrics/export.json")
PAGE = Path("metrics/variants/index.html")


def main() -> None:
    params = read_params("export", ExportParams)
    set_up(read_params("compute", ComputeParams))
    refuse_failed_gates(GATES)
    network, info = load_unet(MODEL)
    trained = Trained(network, info, read_point(POINT), MODEL)
    outputs = Outputs(ONNX, VARIANTS, README, METRICS, PAGE)
    facts = export_model(trained, read_tiles(TILES), read_split(SPLIT), params, outputs)
    print(f"export: {facts.summary()}")


if __name__ == "__main__":
    defectseg.stage.run_stage(main)
