"""Params and data in, a trained model in a folder named by all that decides its weights out."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
import yaml

from defectseg.data.split import Split
from defectseg.data.tile import TileSet
from defectseg.network.checkpoint import remove_checkpoint
from defectseg.network.learner import TrainParams
from defectseg.network.training import ModelFiles, open_logs, train_model
from defectseg.network.unet import file_digest


def train_once(
    folder: Path,
    data: Callable[[], tuple[TileSet, Split]],
    params: TrainParams,
    seed: int,
    device: torch.device,
) -> ModelFiles:
    """Train into a folder, or resume, unless that has been done. `data` is asked only then."""
    files = ModelFiles(folder / "unet.safetensors", folder / "unet.run.json")
    if not files.record.exists():
        tiles, split = data()
        with open_logs(folder / "train", folder / "speed", folder / "checkpoint") as logs:
            train_model(tiles, split, params, seed, device, logs, files)
        remove_checkpoint(folder / "checkpoint")
    return files


def digest_of(*told: str) -> str:
    """A name for a folder: of what is told and of the code that draws and trains."""
    content = json.dumps([*told, *code_digests()])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@cache
def code_digests() -> tuple[str, ...]:
    """Of every module that the stages data_load and train depend on."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    deps = {str(dep) for stage in ("data_load", "train") for dep in stages[stage]["deps"]}
    return tuple(file_digest(Path(dep)) for dep in sorted(deps) if dep.endswith(".py"))
