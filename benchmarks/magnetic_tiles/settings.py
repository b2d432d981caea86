"""settings.yaml in, the params of one setting out: params.yaml and what the setting changes."""

import argparse
import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pretrain import PretrainParams

from defectseg.errors import ParamsError
from defectseg.evaluation.evaluate import EvaluateParams
from defectseg.network.learner import TrainParams
from defectseg.params import PARAMS

SETTINGS = Path(__file__).parent / "settings.yaml"
# Keys of a setting that are not of params.yaml.
OWN = ("from", "why", "flips", "predict_size", "pretrain", "drawn_share", "goes_on")


@dataclass(frozen=True)
class Setting:
    """How one row of the table is trained and scored."""

    name: str
    start: str | None  # the setting that it changes
    why: str  # in words
    changes: dict[str, Any]  # dotted key of params.yaml → value, those of `start` included
    flips: bool  # predict all four mirrorings and take the mean
    predict_size: int | None  # pixels: side of what is predicted; None = train.image_size
    pretrain: PretrainParams | None  # on drawn tiles first; None = from random weights
    drawn_share: float | None  # of what is trained on, 0..1, that are tiles of `pretrain`
    goes_on: str | None  # a setting: training goes on from what that one has made of the same fold
    pretrained_as: str  # the setting that asks for it: those that start from it share the weights
    train: TrainParams
    evaluate: EvaluateParams

    @property
    def cycles(self) -> tuple["Setting", ...]:
        """The trainings of a fold, one after the other; this one is the last."""
        return (*(read_setting(self.goes_on).cycles if self.goes_on else ()), self)


def read_setting(name: str) -> Setting:
    """One setting, checked.

    Raises:
        ParamsError: There is no such setting, it changes what params.yaml does not have, or drawn
            tiles are to be mixed in and none are drawn.
    """
    written = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    own = resolve(name, written)
    if own.get("drawn_share") and not own.get("pretrain"):
        raise ParamsError(f"{SETTINGS}: {name} has a drawn_share, but no pretrain that draws tiles")
    changes = {key: value for key, value in own.items() if key not in OWN}
    content = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    for key, value in changes.items():
        change(content, key, value)
    return Setting(
        name=name,
        start=written[name].get("from"),
        why=written[name]["why"],
        changes=changes,
        flips=bool(own.get("flips", False)),
        predict_size=own.get("predict_size"),
        pretrain=PretrainParams.model_validate(own["pretrain"]) if own.get("pretrain") else None,
        drawn_share=own.get("drawn_share"),
        goes_on=own.get("goes_on"),
        pretrained_as=asks_for_pretraining(name, written),
        train=TrainParams.model_validate(content["train"]),
        evaluate=EvaluateParams.model_validate(content["evaluate"]),
    )


def setting_names() -> list[str]:
    """All settings in their order."""
    return list(yaml.safe_load(SETTINGS.read_text(encoding="utf-8")))


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The argument of every script that is told settings by name."""
    names = setting_names()
    parser.add_argument(
        "settings", nargs="+", choices=names, metavar="SETTING", help=", ".join(names)
    )


def resolve(name: str, written: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A setting's own keys over those of the settings that it starts from."""
    if name not in written:
        raise ParamsError(f"{SETTINGS} has no setting {name!r}; it has {', '.join(written)}")
    start = written[name].get("from")
    return (resolve(start, written) if start else {}) | written[name]


def asks_for_pretraining(name: str, written: dict[str, dict[str, Any]]) -> str:
    """The nearest setting on the way back that says `pretrain` itself; else the first."""
    start = written[name].get("from")
    if "pretrain" in written[name] or start is None:
        return name
    return asks_for_pretraining(start, written)


def change(content: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key that is already there."""
    *path, last = key.split(".")
    for part in path:
        content = content.get(part, {})
    if last not in content:
        raise ParamsError(f"{SETTINGS}: params.yaml has no {key}")
    content[last] = copy.deepcopy(value)
