"""How much a random 80/20 split of the magnetic tiles leaks: the split that is usual on this set.

A fifth of the pictures, drawn without regard to surfaces, is test, as fastai's RandomSplitter draws
it; unseeded there, with many seeds here. Surfaces are found from the pixels of all pictures, at the
similarity of params.yaml. Measured twice: on the pictures that show a defect, and on all.

SOURCE is a folder or an archive with MT_<Class>/ in it. Prints a table, writes JSON.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import mean
from typing import Any

import numpy as np

from defectseg.data.audit.collection import (
    AlikeParams,
    find_surfaces,
    list_pictures,
    open_collection,
)
from defectseg.data.audit.leaks import find_leaks
from defectseg.data.sources.archives import Limits
from defectseg.files import write_json
from defectseg.params import read_params
from machine import describe_machine

RESULTS = Path("benchmarks/results/leaks.json")
CLASS_FOLDER, CLEAN_FOLDER = "MT_", "MT_Free"  # the archive has other pictures beside them
TEST_SHARE = 0.2
GOAL = 0.95  # share of test pictures with a sibling in train that we expect to find
LIMITS = Limits(files=100_000, unpacked_bytes=2_000_000_000, ratio=100)


@dataclass(frozen=True)
class Draw:
    """What one random split shares."""

    seed: int
    test: int  # pictures
    with_a_sibling: int  # of them, in train
    siblings_in_train: float  # mean number, over the test pictures, of siblings in train


def main() -> None:
    arguments = parse_arguments()
    params = read_params("data_load", AlikeParams).surfaces.model_copy(update={"source": "pixels"})
    started = time.perf_counter()
    with open_collection(arguments.source, LIMITS) as folder:
        pictures = [
            name
            for name in list_pictures(folder)
            if any(part.startswith(CLASS_FOLDER) for part in PurePosixPath(name).parts)
        ]
        surfaces = find_surfaces(folder, pictures, params)
    seconds = round(time.perf_counter() - started, 1)
    defects = [name for name in pictures if CLEAN_FOLDER not in PurePosixPath(name).parts]
    rows = [
        measure(what, members, surfaces, arguments.seeds)
        for what, members in (("defect pictures", defects), ("all pictures", pictures))
    ]
    print_table(rows)
    setting = {
        "similarity": params.similarity,
        "neighbours": params.neighbours,
        "test_share": TEST_SHARE,
        "seeds": arguments.seeds,
    }
    report = {"setting": setting, "seconds_to_find_surfaces": seconds, "goal": GOAL, "splits": rows}
    write_json(arguments.out, {"machine": describe_machine(), **report})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a folder or an archive")
    parser.add_argument("--seeds", type=int, default=20, help="number of random splits; default 20")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def measure(
    what: str, pictures: Sequence[str], surfaces: Mapping[str, str], seeds: int
) -> dict[str, Any]:
    """Draw random splits of some pictures and count what they share."""
    draws = [draw_split(pictures, surfaces, seed) for seed in range(seeds)]
    shares = [draw.with_a_sibling / draw.test for draw in draws]
    return {
        "what": what,
        "pictures": len(pictures),
        "surfaces": len({surfaces[name] for name in pictures}),
        "test_pictures": draws[0].test,
        "share_with_a_sibling_in_train": {
            "mean": round(mean(shares), 4),
            "least": round(min(shares), 4),
            "most": round(max(shares), 4),
        },
        "siblings_in_train_mean": round(mean(draw.siblings_in_train for draw in draws), 2),
        "with_a_sibling_by_seed": [draw.with_a_sibling for draw in draws],
    }


def draw_split(pictures: Sequence[str], surfaces: Mapping[str, str], seed: int) -> Draw:
    """Draw one split as fastai's RandomSplitter does: the first fifth of a permutation is test."""
    order = np.random.default_rng(seed).permutation(len(pictures))
    names = [pictures[index] for index in order]
    cut = int(TEST_SHARE * len(names))
    parts = dict.fromkeys(names[:cut], "test") | dict.fromkeys(names[cut:], "train")
    leaks = find_leaks(parts, surfaces)
    siblings = sum(
        len(leaks.straddling[surface]["train"]) * len(leaks.straddling[surface]["test"])
        for surface in leaks.shared("train", "test")
    )
    return Draw(seed, cut, len(leaks.siblings("test")), siblings / cut)


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    print("test pictures with a sibling in train, random 80/20 splits")
    print(f"{'of':18}{'pictures':>9}{'surfaces':>9}{'test':>6}{'mean':>9}{'least':>9}{'most':>9}")
    for row in rows:
        share = row["share_with_a_sibling_in_train"]
        print(
            f"{row['what']:18}{row['pictures']:>9}{row['surfaces']:>9}{row['test_pictures']:>6}"
            + "".join(f"{100 * share[key]:>7.1f} %" for key in ("mean", "least", "most"))
        )


if __name__ == "__main__":
    main()
