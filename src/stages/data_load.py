"""Stage data_load: the source of params.yaml → data/tiles, one picture and mask a tile."""

from pathlib import Path

from defectseg.data.load import LoadParams, load_tiles
from defectseg.params import read_params
from defectseg.stage import run_stage

TILES = Path("data/tiles")
REPORT = Path("metrics/data_load.json")


def main() -> None:
    params = read_params("data_load", LoadParams)
    tile_set = load_tiles(params, TILES, REPORT)
    surfaces = {tile.surface for tile in tile_set.tiles}
    classes = ", ".join(tile_set.classes)
    print(
        f"data_load: {len(tile_set.tiles)} pictures of {len(surfaces)} surfaces, "
        f"defect classes: {classes}"
    )


if __name__ == "__main__":
    run_stage(main)
