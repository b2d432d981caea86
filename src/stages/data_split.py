"""Stage data_split: data/tiles/manifest.csv → data/split.csv, one row (id, part) a picture."""

from pathlib import Path

import defectseg.stage
from defectseg.data.split import (
    SplitParams,
    describe_split,
    split_tiles,
    warn_of_leaks,
    write_split,
)
from defectseg.data.tile import read_tiles
from defectseg.files import write_json
from defectseg.params import read_params

TILES = Path("data/tiles")
SPLIT = Path("data/split.csv")
REPORT = Path("metrics/data_split.json")


def main() -> None:
    params = read_params("data_split", SplitParams)
    tiles = read_tiles(TILES).tiles
    split = split_tiles(tiles, params)
    write_split(SPLIT, split)
    write_json(REPORT, describe_split(tiles, split))
    print(
        f"data_split: {split.summary()}, fold {params.fold} of {params.folds}"
        f"{warn_of_leaks(tiles, split)}"
    )


if __name__ == "__main__":
    defectseg.stage.run_stage(main)
