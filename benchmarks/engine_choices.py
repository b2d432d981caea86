"""What each setting of the engines is worth: time with and without, in turn; a table and JSON.

The exported model with two threads, and pictures of many sizes as the synthetic tiles have them:
spinning       ONNX Runtime's threads wait by spinning or by sleeping
plans          ONNX Runtime keeps a plan of its memory for every size it has seen, or not; also the
               memory that the process holds after 300 sizes
pinning        OpenVINO binds its threads to cores, or not
batch size     OpenVINO is told that pictures come one by one, or not

first_ms, later_ms  the first time that an engine sees 30 sizes, and the times after that: medians
quiet_ms            a quiet moment of the machine: a tenth of the later pictures were faster
cpu_ms              the processor time of all threads; what others do hardly changes it
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino

from defectseg.files import write_json
from defectseg.inference.bench.worker import measure_peak
from machine import describe_machine

RESULTS = Path("benchmarks/results/engine_choices.json")
SIZES, PASSES, MANY = 30, 5, 300
Run = Callable[[np.ndarray], object]


def draw_sizes(count: int) -> list[np.ndarray]:
    """Grey pictures (1, H, W, 1) of as many sizes, as wide and high as synthetic tiles."""
    generator = np.random.default_rng(0)
    shapes = [(generator.integers(222, 404), generator.integers(103, 633)) for _ in range(count)]
    return [generator.integers(0, 256, (1, h, w, 1), dtype=np.uint8) for h, w in shapes]


def with_onnxruntime(path: Path, threads: int, spin: bool = False, plans: bool = False) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
    options.enable_mem_pattern = plans
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    return lambda picture: session.run(None, {"pictures": picture})


def with_openvino(path: Path, threads: int, pinned: bool = False, any_batch: bool = False) -> Run:
    core = openvino.Core()
    model = core.read_model(path)
    if not any_batch:
        model.reshape([1, -1, -1, 1])
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": pinned,
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda picture: request.infer({"pictures": picture}, share_inputs=True)


CHOICES: dict[str, tuple[Callable[..., Run], dict[str, bool], dict[str, bool]]] = {
    "spinning": (with_onnxruntime, {"spin": True}, {"spin": False}),
    "plans": (with_onnxruntime, {"plans": True}, {"plans": False}),
    "pinning": (with_openvino, {"pinned": True}, {"pinned": False}),
    "any batch size": (with_openvino, {"any_batch": True}, {"any_batch": False}),
}


def main() -> None:
    arguments = parse_arguments()
    pictures = draw_sizes(SIZES)
    rows = [compare(name, arguments, pictures) for name in CHOICES]
    memory = {
        ("with" if plans else "without"): memory_after(arguments.model, arguments.threads, plans)
        for plans in (True, False)
    }
    for row in rows:
        print(row["choice"])
        for label in ("with", "without"):
            numbers = {k.partition("_")[2]: v for k, v in row.items() if k.startswith(f"{label}_")}
            print(
                f"  {label:8}"
                + "".join(f"{key:>14} {value:7.2f}" for key, value in numbers.items())
            )
    print(f"memory after {MANY} sizes, MiB: {memory}")
    write_json(
        arguments.out,
        {
            "machine": describe_machine(),
            "setting": {"threads": arguments.threads, "sizes": SIZES, "passes": PASSES},
            "choices": rows,
            "memory_after_300_sizes_mib": memory,
        },
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("models/unet.onnx"))
    parser.add_argument("--threads", type=int, default=2, help="default: 2")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def compare(name: str, arguments: argparse.Namespace, pictures: list[np.ndarray]) -> dict[str, Any]:
    """Medians of the first pass over all sizes, and of the later ones.

    The ways take turns pass by pass: threads that still spin would slow the other way down.
    """
    make, *ways = CHOICES[name]
    runs = [make(arguments.model, arguments.threads, **way) for way in ways]
    wall, cpu = np.zeros((2, PASSES, len(pictures))), np.zeros((2, PASSES, len(pictures)))
    for number in range(PASSES):
        for way, run in enumerate(runs):
            for index, picture in enumerate(pictures):
                started, used = time.perf_counter(), time.process_time()
                run(picture)
                wall[way, number, index] = 1e3 * (time.perf_counter() - started)
                cpu[way, number, index] = 1e3 * (time.process_time() - used)
    row: dict[str, Any] = {"choice": name}
    for way, label in enumerate(("with", "without")):
        row |= {
            f"{label}_first_ms": round(float(np.median(wall[way, 0])), 2),
            f"{label}_later_ms": round(float(np.median(wall[way, 1:])), 2),
            f"{label}_quiet_ms": round(float(np.percentile(wall[way, 1:], 10)), 2),
            f"{label}_first_cpu_ms": round(float(np.median(cpu[way, 0])), 2),
            f"{label}_later_cpu_ms": round(float(np.median(cpu[way, 1:])), 2),
        }
    return row


def memory_after(path: Path, threads: int, plans: bool) -> float:
    """MiB that a process of its own held at most after many sizes."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(theirs, path, threads, plans))
    process.start()
    held: float = ours.recv()
    process.join()
    return round(held, 1)


def hold(connection: Connection, path: Path, threads: int, plans: bool) -> None:
    run = with_onnxruntime(path, threads, plans=plans)
    for picture in draw_sizes(MANY):
        run(picture)
    connection.send(measure_peak(None))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
