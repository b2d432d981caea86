"""Seconds, memory and correctness of finding the surfaces of more and more pictures.

Pictures are drawn as data_load draws them, one at a time and with the sizes of params.yaml, and
three of four are mirrored: upside down, left to right or both. Drawing is not counted.
Precision and recall are those of all pairs of pictures of one surface against the drawn truth, at
the settings of params.yaml. Each size runs in a process of its own, whose peak memory is given.
Growth is the milliseconds a picture over those of the size before: 1 is linear.

Prints a table, writes JSON.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from children import run
from defectseg.data.surfaces.find import SurfaceFinder, SurfaceParams
from defectseg.data.synthetic.photographs import SyntheticParams, draw_photographs
from defectseg.files import write_json
from defectseg.params import Section, read_params
from machine import describe_machine

RESULTS = Path("benchmarks/results/surfaces.json")
SIZES = (1_000, 5_000, 20_000)
GOAL = 300.0  # seconds for the last of them on 2 cores


class DrawnParams(Section, extra="ignore"):
    """What this reads of params.yaml: data_load."""

    synthetic: SyntheticParams
    surfaces: SurfaceParams


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--one", type=int, help="measure this many pictures and print JSON")
    parser.add_argument("--similarity", type=float, help="with --one: another than in params.yaml")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.similarity)))
        return
    rows: list[dict[str, Any]] = []
    before = None
    for pictures in SIZES:
        child = run(f"{sys.executable} {__file__} --one {pictures}", Path.cwd())
        row = json.loads(child.output.splitlines()[-1])
        each = 1000 * row["seconds"] / pictures
        row |= {
            "ms_per_picture": round(each, 2),
            "growth": round(each / before, 2) if before else None,
        }
        before = each
        rows.append(row | {"peak_mib": round(child.peak_mib)})
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    write_json(RESULTS, {"machine": describe_machine(), "goal_seconds": GOAL, "sizes": rows})


def measure(pictures: int, similarity: float | None) -> dict[str, Any]:
    """Draw pictures, find their surfaces, and compare with what was drawn."""
    params = read_params("data_load", DrawnParams)
    surfaces = params.surfaces.model_copy(update={"similarity": similarity} if similarity else {})
    drawn = params.synthetic.model_copy(update={"pictures": pictures})
    sizes = [(drawn.width[end], drawn.height[end]) for end in (0, 1)]
    finder = SurfaceFinder(surfaces, [tuple(np.mean(sizes, axis=0).astype(int)), sizes[1]])
    generator = np.random.default_rng(0)
    truth: dict[str, str] = {}
    texture = 0.0
    for number, (surface, photograph) in enumerate(draw_photographs(drawn)):
        picture = photograph.image[:, :, None]
        rows, columns = generator.choice([1, -1], 2)
        picture = picture[::rows, ::columns]
        truth[f"{number:06d}"] = surface.name
        started = time.perf_counter()
        finder.add(f"{number:06d}", picture)
        texture += time.perf_counter() - started
    started = time.perf_counter()
    found = finder.find()
    search = time.perf_counter() - started
    return {
        "pictures": pictures,
        "seconds": round(texture + search, 1),
        "texture_seconds": round(texture, 1),
        "search_seconds": round(search, 1),
        **compare(found.names, truth),
    }


def compare(found: Mapping[str, str], truth: Mapping[str, str]) -> dict[str, Any]:
    """Precision and recall of the pairs of pictures that are said to show one surface."""
    right = count_pairs(Counter((found[key], truth[key]) for key in truth))
    said, drawn = count_pairs(Counter(found.values())), count_pairs(Counter(truth.values()))
    return {
        "surfaces": len(set(found.values())),
        "drawn_surfaces": len(set(truth.values())),
        "largest": max(Counter(found.values()).values()),
        "precision": round(right / max(said, 1), 5),
        "recall": round(right / max(drawn, 1), 5),
    }


def count_pairs(sizes: "Counter[Any]") -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())


if __name__ == "__main__":
    main()
