"""Seconds, memory and correctness of finding the surfaces of more and more pictures.

Pictures are drawn one at a time with the sizes of params.yaml, once as they are and once with half
of them mirrored: upside down, left to right or both. Drawing is not counted. Precision and recall
are those of all pairs of pictures of one surface against the drawn truth, at the settings of
params.yaml. Candidate recall is the share of the pairs of one surface among the candidates of an
exact search that the approximate one finds too. Each row runs in a process of its own.
Processor seconds tell what the search costs where other programs share the processor; it uses one.
Growth is the processor milliseconds a picture over those of the size before: 1 is linear.

Prints a table, writes JSON.
"""

import argparse
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from children import KIB_PER_MIB, run
from defectseg.data.surfaces.find import SurfaceFinder, SurfaceParams
from defectseg.data.surfaces.linking import Candidates
from defectseg.data.synthetic.photographs import SyntheticParams, draw_photographs
from defectseg.files import write_json
from defectseg.params import Section, read_params
from machine import describe_machine

RESULTS = Path("benchmarks/results/surfaces.json")
SIZES = (1_000, 5_000, 20_000)  # pictures
GOAL = 300.0  # seconds for the last of them on 2 cores
SAMPLED = 500  # pictures of which the sizes are read before the others are drawn


class DrawnParams(Section, extra="ignore"):
    """What this reads of params.yaml: data_load."""

    synthetic: SyntheticParams
    surfaces: SurfaceParams


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--one", type=int, help="measure this many pictures and print JSON")
    parser.add_argument("--mirrored", action="store_true", help="with --one: mirror half of them")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.mirrored)))
        return
    rows: list[dict[str, Any]] = []
    for flag in ("", " --mirrored"):
        for row in measure_growth(flag):
            rows.append(row)
            write_results(arguments.out, rows)  # an interrupted run keeps what it has measured


def write_results(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows with the machine and the setting that they belong to."""
    params = read_params("data_load", DrawnParams).surfaces
    setting = {"similarity": params.similarity, "neighbours": params.neighbours}
    content = {"machine": describe_machine(), "goal_seconds": GOAL, "setting": setting}
    write_json(path, content | {"sizes": rows})


def measure_growth(flag: str) -> Iterator[dict[str, Any]]:
    """Measure each size in a process of its own and print its row."""
    before = None
    for pictures in SIZES:
        child = run(f"{sys.executable} {__file__} --one {pictures}{flag}", Path.cwd())
        row = json.loads(child.output.splitlines()[-1])
        each = 1000 * row["processor_seconds"] / pictures
        row["ms_per_picture"] = round(each, 2)
        row["growth"] = round(each / before, 2) if before else None
        before = each
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        yield row


def measure(pictures: int, mirrored: bool) -> dict[str, Any]:
    """Draw pictures, find their surfaces, and compare with what was drawn."""
    params = read_params("data_load", DrawnParams)
    drawn = params.synthetic.model_copy(update={"pictures": pictures})
    finder = SurfaceFinder(params.surfaces, sample_sizes(drawn))
    truth: dict[str, str] = {}
    texture = processor = 0.0
    for surface, picture in draw_pictures(drawn, mirrored):
        key = f"{len(truth):06d}"
        truth[key] = surface
        started, worked = time.perf_counter(), time.process_time()
        finder.add(key, picture)
        texture += time.perf_counter() - started
        processor += time.process_time() - worked
    started, worked = time.perf_counter(), time.process_time()
    found = finder.find()
    search = time.perf_counter() - started
    processor += time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB
    candidates, recall = check_candidates(finder, params.surfaces.neighbours, list(truth.values()))
    return {
        "pictures": pictures,
        "mirrored": mirrored,
        "seconds": round(texture + search, 1),
        "processor_seconds": round(processor, 1),
        "texture_seconds": round(texture, 1),
        "candidates_seconds": round(candidates, 1),
        "proof_seconds": round(search - candidates, 1),
        "peak_mib": round(peak),
        "candidate_recall": round(recall, 5),
        **compare(found.names, truth),
    }


def sample_sizes(params: SyntheticParams) -> list[tuple[int, int]]:
    """(width, height) of the first pictures, and the largest that there may be."""
    first = islice(draw_photographs(params), SAMPLED)
    sizes = [(photograph.image.shape[1], photograph.image.shape[0]) for _, photograph in first]
    return [*sizes, (params.width[1], params.height[1])]


def draw_pictures(
    params: SyntheticParams, mirrored: bool
) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Draw the name of a surface and a picture (H, W, 1) of it, half of them mirrored if asked."""
    generator = np.random.default_rng(0)
    flips = [(1, 1), (1, 1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
    for surface, photograph in draw_photographs(params):
        rows, columns = flips[generator.integers(len(flips))] if mirrored else flips[0]
        yield surface.name, photograph.image[::rows, ::columns, None]


def check_candidates(
    finder: SurfaceFinder, neighbours: int, surfaces: Sequence[str]
) -> tuple[float, float]:
    """Seconds of the search for candidates, and its recall against an exact search."""
    linker = finder.linker()
    started = time.perf_counter()
    found = linker.find_candidates(neighbours)
    seconds = time.perf_counter() - started
    exact = keep_siblings(linker.find_candidates(neighbours, exact=len(surfaces)), surfaces)
    return seconds, len(exact & keep_siblings(found, surfaces)) / max(len(exact), 1)


def keep_siblings(found: Candidates, surfaces: Sequence[str]) -> set[tuple[int, int]]:
    """The candidates that show one surface, whatever the flip by which they were found."""
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    return {pair for pair in pairs if surfaces[pair[0]] == surfaces[pair[1]]}


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
