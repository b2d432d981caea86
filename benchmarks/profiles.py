"""An exported graph and a picture in, the milliseconds that each kind of operator takes out."""

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import openvino

RUNS, WARM_UP = 30, 5
CONVOLUTIONS = ("conv",)  # how the names of all convolutions begin, lower case


def profile_onnxruntime(
    path: Path, picture: npt.NDArray[np.uint8], threads: int
) -> dict[str, float]:
    """Milliseconds a picture (1, H, W, C) by operator: ONNX Runtime's own profile."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_profiling = True
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        for _ in range(WARM_UP + RUNS):
            session.run(None, {"pictures": picture})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    kernels = [event for event in events if event["name"].endswith("_kernel_time")]
    counted = kernels[len(kernels) * WARM_UP // (WARM_UP + RUNS) :]
    spent: Counter[str] = Counter()
    for event in counted:
        spent[event["args"]["op_name"]] += event["dur"] / 1e3 / RUNS
    return _sorted(spent)


def profile_openvino(path: Path, picture: npt.NDArray[np.uint8], threads: int) -> dict[str, float]:
    """Milliseconds a picture (1, H, W, C) by operator: OpenVINO's own counters."""
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape([1, -1, -1, picture.shape[3]])
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
        "PERF_COUNT": True,
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    spent: Counter[str] = Counter()
    for run in range(WARM_UP + RUNS):
        request.infer({"pictures": picture})
        if run >= WARM_UP:
            for node in request.profiling_info:
                spent[node.node_type] += node.real_time.total_seconds() * 1e3 / RUNS
    return _sorted(spent)


def convolution_share(spent: Mapping[str, float]) -> float:
    """Milliseconds of the convolutions alone."""
    names = ("conv", "qlinearconv", "fusedconv", "nhwcfusedconv")
    return sum(value for name, value in spent.items() if name.lower().startswith(names))


def _sorted(spent: Counter[str]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in spent.most_common() if value >= 0.001}
