"""Stage data_load: the source of params.yaml → data/tiles, and what is wrong with it."""

from pathlib import Path

import defectseg.stage
from defectseg.data.load import LoadParams, Places, load_tiles
from defectseg.params import read_params

PLACES = Places(
    tiles=Path("data/tiles"),
    report=Path("data/report"),
    quarantine=Path("data/quarantine.csv"),
    summary=Path("metrics/data_load.json"),
    quality=Path("metrics/data_quality.json"),
    rejected=Path("data/rejected"),
)


def main() -> None:
    params = read_params("data_load", LoadParams)
    checked = load_tiles(params, PLACES)
    tile_set = checked.tile_set
    surfaces = {tile.surface for tile in tile_set.tiles}
    print(
        f"data_load: {len(tile_set.tiles)} pictures of {len(surfaces)} surfaces, "
        f"defect classes: {', '.join(tile_set.classes)}; {len(checked.left_out)} left out, "
        f"{len(checked.findings)} checks found something: {PLACES.report / 'index.html'}"
    )


if __name__ == "__main__":
    defectseg.stage.run_stage(main)
