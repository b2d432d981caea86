"""How often `defectseg compare` is right: simulated test parts, two seeds, planted regressions.

Each repeat draws a test part (defectseg.comparison.simulation) and two trainings of one model on
it. They are compared as they are: any verdict but "can't tell" is wrong. Then a regression of 0.05
is planted in one metric of the first model, and it is compared with itself, and with the second
model that has the regression: "worse" is right. Prints a table, writes JSON.
"""

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from defectseg.comparison.evidence import Evidence, weigh_evidence
from defectseg.comparison.ranked import RankedTable
from defectseg.comparison.simulation import (
    CLASSES,
    Part,
    draw_model,
    draw_part,
    plant_missed_pixels,
    plant_wrong_verdicts,
)
from defectseg.evaluation.gates import LOWER_IS_BETTER
from defectseg.files import write_json
from machine import describe_machine

RESULTS = Path("benchmarks/results/compare.json")
PLANTED = 0.05
PLANTED_IN = ("dice_pooled", "iou_macro", "escape_rate", "false_alarm_rate")
GATED = ("iou_macro", "escape_rate", "false_alarm_rate")  # of params.yaml


def main() -> None:
    arguments = parse_arguments()
    parts = {
        str(surfaces): measure(surfaces, arguments.repeats, arguments.planted, arguments.draws)
        for surfaces in arguments.surfaces
    }
    print_table(parts)
    setting = {
        "repeats": arguments.repeats,
        "repeats_with_a_regression": arguments.planted,
        "draws": arguments.draws,
        "planted": PLANTED,
    }
    write_json(arguments.out, {"machine": describe_machine(), "setting": setting, "parts": parts})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--planted", type=int, default=50, help="repeats with a regression")
    parser.add_argument("--draws", type=int, default=500, help="of each bootstrap, and swaps")
    parser.add_argument("--surfaces", type=int, nargs="+", default=[80, 24], help="of a part")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def measure(surfaces: int, repeats: int, planted: int, draws: int) -> dict[str, Any]:
    """Shares of the repeats, for a test part of so many surfaces."""
    told: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
    for repeat in range(repeats):
        draw = np.random.default_rng([surfaces, repeat])
        part = draw_part(draw, surfaces)
        first, second = draw_model(part, draw), draw_model(part, draw)

        def weigh(base: RankedTable, head: RankedTable) -> dict[str, Evidence]:
            return weigh_evidence(base, head, part.surfaces, CLASSES, draws, repeat)  # noqa: B023

        found = weigh(first, second)
        told["told_of_another_seed"].update(n for n, one in found.items() if one.is_sure)
        told["interval_alone"].update(n for n, one in found.items() if one.low > 0 or one.high < 0)
        told["gate_worse_of_another_seed"].update(["any"] * any(is_worse(found, n) for n in GATED))
        for name in PLANTED_IN if repeat < planted else ():
            same, other = plant(name, part, first, draw), plant(name, part, second, draw)
            told["planted_worse"].update([name] * is_worse(weigh(first, same), name))
            told["planted_in_another_seed_worse"].update(
                [name] * is_worse(weigh(first, other), name)
            )
    return {
        kind: {
            name: round(count / (planted if kind.startswith("planted") else repeats), 4)
            for name, count in counts.items()
        }
        for kind, counts in told.items()
    }


KINDS = (
    "told_of_another_seed",
    "interval_alone",
    "gate_worse_of_another_seed",
    "planted_worse",
    "planted_in_another_seed_worse",
)


def is_worse(found: Mapping[str, Evidence], name: str) -> bool:
    one = found[name]
    return one.is_sure and (one.difference > 0) == name.startswith(LOWER_IS_BETTER)


def plant(
    name: str, part: Part, table: RankedTable, draw: np.random.Generator, by: float = PLANTED
) -> RankedTable:
    """The model with a metric that is worse by 0.05."""
    if name in ("escape_rate", "false_alarm_rate"):
        rates = {"escapes": 0.0, "alarms": 0.0} | {
            "escapes" if name == "escape_rate" else "alarms": by
        }
        return plant_wrong_verdicts(table, **rates, draw=draw)
    ones = np.ones((1, len(part.surfaces)))
    goal = table.scores(ones, CLASSES)[name][0] - by
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        reached = plant_missed_pixels(part, table, middle).scores(ones, CLASSES)[name][0]
        low, high = (middle, high) if reached > goal else (low, middle)
    return plant_missed_pixels(part, table, high)


def print_table(parts: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    for surfaces, kinds in parts.items():
        print(f"{surfaces} surfaces, of 100 repeats")
        for kind, shares in kinds.items():
            shown = ", ".join(f"{name} {100 * share:.1f}" for name, share in shares.items())
            print(f"  {kind}: {shown or 0}")


if __name__ == "__main__":
    main()
