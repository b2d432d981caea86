"""A folder of models in, every engine × file × number of threads that could be measured out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from defectseg.errors import ModelFileError
from defectseg.inference.open_engine import KINDS, EngineName

VARIANTS = "variants"  # below the folder of models
# Where the stage export leaves each precision, below the folder of models.
FILES = {
    ".safetensors": {"fp32": "unet.safetensors"},
    ".onnx": {
        "fp32": "unet.onnx",
        "int8": f"{VARIANTS}/unet.int8.onnx",
        "fp16": f"{VARIANTS}/unet.fp16.onnx",
    },
}


@dataclass(frozen=True)
class Contender:
    """One way to run the model."""

    engine: EngineName
    precision: str  # fp32, int8 or fp16
    path: Path
    threads: int  # at least 1

    @property
    def label(self) -> str:
        """Such as `openvino int8, 2 threads`."""
        unit = "thread" if self.threads == 1 else "threads"
        return f"{self.engine} {self.precision}, {self.threads} {unit}"

    @property
    def kind(self) -> tuple[str, str]:
        """What decides what it says, and not how fast: engine and precision."""
        return self.engine, self.precision


def find_contenders(
    folder: Path, engines: Sequence[EngineName], threads: Iterable[int]
) -> list[Contender]:
    """Every file of the folder with every engine that runs it, the baseline's kind first.

    Raises:
        ModelFileError: The folder holds nothing that these engines run.
    """
    counts = sorted(set(threads))
    found = [
        Contender(engine, precision, path, count)
        for engine, precision, path in _find_files(folder, engines)
        for count in counts
    ]
    if not found:
        raise ModelFileError(
            f"{folder} holds no model for {', '.join(engines)}; run the pipeline first, or name "
            "another folder with --model"
        )
    return found


def _find_files(
    folder: Path, engines: Sequence[EngineName]
) -> Iterator[tuple[EngineName, str, Path]]:
    ordered = sorted(engines, key=lambda name: (name != "torch", list(KINDS).index(name)))
    for engine in ordered:
        for precision, name in FILES[KINDS[engine].suffix].items():
            if (folder / name).is_file():
                yield engine, precision, folder / name
