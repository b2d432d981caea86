"""Stage export: models/unet.safetensors → models/unet.onnx, checked against torch."""

from pathlib import Path

from defectseg.data.split import read_split
from defectseg.data.tile import read_tiles
from defectseg.determinism import ComputeParams, set_up
from defectseg.export.export import ExportParams, export_model
from defectseg.network.unet import load_unet
from defectseg.params import read_params
from defectseg.stage import run_stage

TILES = Path("data/tiles")
SPLIT = Path("data/split.csv")
MODEL = Path("models/unet.safetensors")
ONNX = Path("models/unet.onnx")
REPORT = Path("metrics/export.json")


def main() -> None:
    params = read_params("export", ExportParams)
    set_up(read_params("compute", ComputeParams))
    network, info = load_unet(MODEL)
    test = read_tiles(TILES).only(read_split(SPLIT).ids("test"))
    parity = export_model(network, info, MODEL, test, params, ONNX, REPORT)
    difference = parity["max_abs_probability_difference"]
    print(f"export: {ONNX}, differs from torch by at most {difference:.1e} in a probability")


if __name__ == "__main__":
    run_stage(main)
