"""How well surfaces are found on the magnetic tiles: against pairs that a person has compared.

docs/results/magnetic-tiles/surface_pairs.csv names pairs of pictures and whether they show one
surface, judged by eye from the two pictures laid over each other. They are candidates of an earlier
measure, whose similarity was hidden: 24 random ones below 0.1, from 0.3 to 0.5 and above 0.5 each,
and those between 0.1 and 0.3, at most two for the same two groups; two of them that are turned by
180° were first judged different, and mended at a larger scale. Then, for that measure and this one,
the most alike pictures of each two groups that come near the threshold.

SOURCE is a folder or an archive with MT_<Class>/ in it. Prints a table, writes JSON.
"""

import argparse
import csv
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from defectseg.data.audit.collection import (
    AlikeParams,
    find_surfaces,
    list_pictures,
    open_collection,
)
from defectseg.data.sources.archives import Limits
from defectseg.files import write_json
from defectseg.params import read_params
from machine import describe_machine

PAIRS = Path("docs/results/magnetic-tiles/surface_pairs.csv")
RESULTS = Path("benchmarks/results/surface_pairs.json")
SIMILARITIES = (0.4, 0.3, 0.27, 0.25, 0.23, 0.2, 0.18, 0.16, 0.14, 0.12)
LIMITS = Limits(files=100_000, unpacked_bytes=2_000_000_000, ratio=100)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a folder or an archive")
    source = parser.parse_args().source
    params = read_params("data_load", AlikeParams).surfaces
    with PAIRS.open(newline="", encoding="utf-8") as file:
        pairs = [(row["first"], row["second"], row["verdict"]) for row in csv.DictReader(file)]
    rows = []
    with open_collection(source, LIMITS) as folder:
        pictures = [name for name in list_pictures(folder) if "/MT_" in f"/{name}"]
        for similarity in SIMILARITIES:
            started = time.perf_counter()
            chosen = params.model_copy(update={"source": "pixels", "similarity": similarity})
            surfaces = find_surfaces(folder, pictures, chosen)
            named = {PurePosixPath(name).stem: surface for name, surface in surfaces.items()}
            row = judge(named, pairs) | {"seconds": round(time.perf_counter() - started, 1)}
            rows.append({"similarity": similarity} | row)
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()))
    counts = Counter(verdict for _, _, verdict in pairs)
    content = {"machine": describe_machine(), "pairs": dict(counts), "committed": params.similarity}
    write_json(RESULTS, content | {"thresholds": rows})


def judge(surfaces: Mapping[str, str], pairs: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Precision and recall of `one surface` on the pairs, and the size of what was found."""
    joined = [verdict for a, b, verdict in pairs if surfaces[a] == surfaces[b]]
    same = [verdict for _, _, verdict in pairs if verdict == "same"]
    sizes = Counter(surfaces.values())
    return {
        "surfaces": len(sizes),
        "largest": max(sizes.values()),
        "precision": round(joined.count("same") / len(joined), 4),
        "recall": round(joined.count("same") / len(same), 4),
        "joined_but_different": joined.count("different"),
        "same_but_apart": len(same) - joined.count("same"),
    }


if __name__ == "__main__":
    main()
