"""Milliseconds of each step around the network, as it was first written and as it is now.

The steps are those of `defectseg.pixels`, each in PyTorch and, exported on its own, in ONNX
Runtime; both ways run in turn with the same input: one grey picture of 300 × 400 px, a network of
96 × 96 px and five defect classes, unless told otherwise. docs/performance.md explains them.

ms      a quiet moment of the machine: a tenth of the repetitions were faster
cpu_ms  the processor time of all threads together, the median: what others do hardly changes it
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from defectseg.files import write_json
from defectseg.pixels import TEXTURE_REACH, mean_around, resize, to_mask
from machine import describe_machine

RESULTS = Path("benchmarks/results/pixel_path.json")
CLASSES, NETWORK = 5, 96
WARM_UP = 5
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
SIDE = 2 * TEXTURE_REACH + 1
Run = Callable[[], np.ndarray]


class Step(nn.Module):
    """A function as a module, which is what can be exported."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(images)


def pooled(grey: Tensor) -> Tensor:
    return avg_pool2d(grey, SIDE, 1, TEXTURE_REACH, count_include_pad=False)


def resize_by_operator(size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    return lambda images: interpolate(images, size, mode="bilinear", antialias=True)


def resize_by_products(size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    return lambda images: resize(images, size)


def mask_by_argmax(probability: Tensor) -> Tensor:
    kind = probability[:, 1:].argmax(dim=1)
    threshold = torch.tensor(THRESHOLDS)[kind]
    defect = 1.0 - probability[:, 0]
    return torch.where(defect < threshold, torch.zeros_like(kind), kind + 1).to(torch.uint8)


def mask_by_comparing(probability: Tensor) -> Tensor:
    return to_mask(probability, THRESHOLDS)


def softmax_by_operator(logits: Tensor) -> Tensor:
    return logits.softmax(dim=1)


def softmax_by_parts(logits: Tensor) -> Tensor:
    """As `defectseg.pixels.to_probability` has it."""
    weights = (logits - logits.amax(dim=1, keepdim=True)).exp()
    return weights / weights.sum(dim=1, keepdim=True)


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    rows = [
        row
        for name, before, after, example in list_steps(arguments.height, arguments.width)
        for row in measure_step(name, before, after, example, arguments)
    ]
    keys = ("before_ms", "after_ms", "before_cpu_ms", "after_cpu_ms")
    print(f"{'':10}{'':14}" + "".join(f"{key:>15}" for key in keys) + "  largest difference")
    for row in rows:
        numbers = "".join(f"{row[key]:15.2f}" for key in keys)
        print(f"{row['step']:10}{row['engine']:14}{numbers}  {row['largest_difference']:.1e}")
    setting = {name: value for name, value in vars(arguments).items() if name != "out"}
    write_json(arguments.out, {"machine": describe_machine(), "setting": setting, "steps": rows})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--height", type=int, default=300, help="px; default: 300")
    parser.add_argument("--width", type=int, default=400, help="px; default: 400")
    parser.add_argument("--threads", type=int, default=2, help="default: 2")
    parser.add_argument("--repetitions", type=int, default=150, help="of each; default: 150")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def list_steps(height: int, width: int) -> list[tuple[str, Step, Step, Tensor]]:
    """Name, as it was, as it is, and an input."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 1, height, width, generator=generator)
    logits = torch.randn(1, 1 + CLASSES, NETWORK, NETWORK, generator=generator)
    probability = logits.softmax(dim=1)
    full = resize(probability, (height, width))
    planes = picture.repeat(1, 2, 1, 1)
    small, large = (NETWORK, NETWORK), (height, width)
    pairs: list[tuple[str, Any, Any, Tensor]] = [
        ("texture", pooled, mean_around, picture),
        ("shrink", resize_by_operator(small), resize_by_products(small), planes),
        ("softmax", softmax_by_operator, softmax_by_parts, logits),
        ("enlarge", resize_by_operator(large), resize_by_products(large), probability),
        ("mask", mask_by_argmax, mask_by_comparing, full),
    ]
    return [(name, Step(before), Step(after), example) for name, before, after, example in pairs]


def measure_step(
    name: str, before: Step, after: Step, example: Tensor, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """One row for PyTorch, one for ONNX Runtime."""
    ways = {
        "torch": (in_torch(before, example), in_torch(after, example)),
        "onnxruntime": (
            in_onnxruntime(before, example, arguments.threads),
            in_onnxruntime(after, example, arguments.threads),
        ),
    }
    return [
        {
            "step": name,
            "engine": engine,
            **compare(old, new, arguments.repetitions),
            "largest_difference": float(np.abs(old().astype(float) - new().astype(float)).max()),
        }
        for engine, (old, new) in ways.items()
    ]


def compare(old: Run, new: Run, repetitions: int) -> dict[str, float]:
    """Both in turn; see the module's docstring for what is counted."""
    wall, cpu = np.zeros((2, repetitions)), np.zeros((2, repetitions))
    for number in range(-WARM_UP, repetitions):
        for way, run in enumerate((old, new)):
            started, used = time.perf_counter(), time.process_time()
            run()
            if number >= 0:
                wall[way, number] = 1e3 * (time.perf_counter() - started)
                cpu[way, number] = 1e3 * (time.process_time() - used)
    quiet = np.percentile(wall, 10, axis=1)
    work = np.median(cpu, axis=1)
    return {
        "before_ms": round(float(quiet[0]), 3),
        "after_ms": round(float(quiet[1]), 3),
        "before_cpu_ms": round(float(work[0]), 3),
        "after_cpu_ms": round(float(work[1]), 3),
    }


def in_torch(step: Step, example: Tensor) -> Run:
    def run() -> np.ndarray:
        with torch.inference_mode():
            seen: Tensor = step(example)
            return seen.numpy()

    return run


def in_onnxruntime(step: Step, example: Tensor, threads: int) -> Run:
    """The step as a graph of its own with free height and width, as in the whole graph."""
    free = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            step.eval(),
            (example,),
            dynamo=True,
            input_names=["x"],
            dynamic_shapes={"images": free},
            opset_version=20,
            verbose=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    content = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    feed = {"x": example.numpy()}
    return lambda: session.run(None, feed)[0]


if __name__ == "__main__":
    main()
