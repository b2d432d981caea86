"""Train the reference repository's learner and score it in its way and in ours.

Each split is one training: `random` as there, a number is a fold of this benchmark. What is done is
kept in results/reference/ and not done again. See reference.py for what is trained.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from fold import RESULTS, describe_network
from imagenet import WHEELS
from protocol import Protocol, add_places, open_protocol
from reference import (
    DRAWS,
    OWN,
    Recipe,
    ReferenceEngine,
    random_split,
    score_own_way,
    train,
    two_classes,
)
from remembered import Remembered

from defectseg.data.tile import TileSet
from defectseg.determinism import ComputeParams, set_up
from defectseg.errors import DefectsegError
from defectseg.evaluation.evaluate import EvaluateParams
from defectseg.evaluation.metrics import evaluate_pictures
from defectseg.evaluation.operating_point import choose_operating_point
from defectseg.evaluation.scored import score_part
from defectseg.files import write_json
from defectseg.inference.operating_point import neutral_point
from defectseg.params import read_params

RANDOM = "random"
OF_PLAIN = ("dice_pooled", "dice_per_image_mean")
OF_VERDICT = ("image_auroc", "escape_rate", "false_alarm_rate")


def main() -> None:
    arguments = parse_arguments()
    recipe = Recipe(
        arguments.epochs,
        arguments.learning_rate,
        frozen_first=not arguments.whole,
        bfloat16=arguments.bfloat16,
        body=arguments.body,
    )
    compute = ComputeParams(seed=0, threads=arguments.threads, device=arguments.device)
    protocol = open_protocol(arguments.source, arguments.work)
    tiles = two_classes(protocol.tiles, arguments.work / "two_classes")
    for split in arguments.splits:
        out = RESULTS / f"reference/{name_of(recipe, split)}.json"
        if out.exists():
            print(f"{out} is there", flush=True)
            continue
        device = set_up(compute)
        facts = run(split, recipe, protocol, tiles, device, arguments.work)
        write_json(out, facts)
        print(f"{out}: {json.dumps(facts['scores'])}", flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    splits = [RANDOM, *map(str, range(5))]
    add("splits", nargs="+", choices=splits, metavar="SPLIT", help=", ".join(splits))
    add("--epochs", type=int, default=OWN.epochs, help="default: %(default)s, as there")
    rate = "of the decoder; default: %(default)s, as there"
    add("--learning-rate", type=float, default=OWN.learning_rate, help=rate)
    add("--whole", action="store_true", help="train all layers from the first epoch on")
    bodies = [OWN.body, *WHEELS]
    what = "default: %(default)s, of random weights; any other has those of ImageNet"
    add("--body", choices=bodies, default=OWN.body, help=what)
    add("--bfloat16", action="store_true", help="twice as fast where the processor has it")
    add_places(parser)
    add("--threads", type=int, default=2, help="default: %(default)s")
    add("--device", default="auto", help="auto, cpu or cuda; default: auto")
    return parser.parse_args()


def name_of(recipe: Recipe, split: str) -> str:
    """Such as 6-epochs-0.02-random or 12-epochs-0.001-whole-bfloat16-0."""
    asked = {
        "whole": not recipe.frozen_first,
        "bfloat16": recipe.bfloat16,
        recipe.body: recipe.body != OWN.body,
    }
    words = [
        f"{recipe.epochs}-epochs-{recipe.learning_rate:g}",
        *(k for k, v in asked.items() if v),
    ]
    return "-".join([*words, split])


def run(
    split: str,
    recipe: Recipe,
    protocol: Protocol,
    tiles: TileSet,
    device: torch.device,
    work: Path,
) -> dict[str, Any]:
    """One training, scored."""
    weights = work / f"reference/{name_of(recipe, split)}.safetensors"
    was_trained, started = weights.exists(), time.perf_counter()
    parts = parts_of(split, protocol, tiles)
    network = train(parts["train"], recipe, 0, device, weights)
    seconds = time.perf_counter() - started
    engine = ReferenceEngine(Remembered(network), neutral_point(tiles.classes), device)
    scores = {"own": score_own_way(engine, parts["test"])}
    if split != RANDOM:
        scores["ours"] = score_our_way(engine, parts["valid"], parts["test"])
    epochs = recipe.epochs + recipe.frozen_first
    return {
        "split": split,
        "recipe": asdict(recipe),
        "pictures_seen": epochs * len(parts["train"].tiles),
        "scores": scores,
        "seconds": None if was_trained else round(seconds, 1),  # None: an earlier run knew
    } | describe_network(network, device)


def parts_of(split: str, protocol: Protocol, tiles: TileSet) -> dict[str, TileSet]:
    """What is trained on (pictures with a defect, as there), and what is scored."""
    if split == RANDOM:
        return dict(zip(("train", "test"), random_split(tiles, seed=0), strict=True))
    fold = protocol.split(int(split))
    parts = {part: tiles.only(fold.ids(part)) for part in ("train", "valid", "test")}
    shown = [tile.id for tile in parts["train"].tiles if tile.is_defect]
    return parts | {"train": tiles.only(shown)}


def score_our_way(engine: ReferenceEngine, valid: TileSet, test: TileSet) -> dict[str, Any]:
    """As every setting here: every picture, at its size; the operating point is chosen on valid."""
    rule = read_params("evaluate", EvaluateParams).operating_point
    start = neutral_point(test.classes)
    chosen = choose_operating_point(engine, valid, 1, rule, temperature=1.0).point
    scores: dict[str, Any] = {"interval": {}}
    for point, names in ((start, OF_PLAIN), (chosen, OF_VERDICT)):
        pictures, _ = score_part(engine.at(point), point, test, 1, "test")
        found = evaluate_pictures(pictures, test.classes, DRAWS, 0)
        scores |= {name: found[name] for name in names}
        scores["interval"] |= {name: found["interval"][name] for name in names}
    return scores | {"pictures": len(test.tiles)}


if __name__ == "__main__":
    try:
        main()
    except DefectsegError as error:
        raise SystemExit(f"error: {error}") from error
