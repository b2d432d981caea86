"""Nothing in, how many GFLOP/s this machine's matrix products reach: what limits every engine."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch

SIDE = 2048  # of the square matrices
REPETITIONS = 7


def measure_peaks(threads: int) -> dict[str, float]:
    """GFLOP/s of the best of a few products of two square matrices, float32 and INT8."""
    torch.set_num_threads(threads)
    return {
        "torch_float32": torch_peak(torch.device("cpu"), torch.float32),
        "onnxruntime_float32": _rate(_onnx_product("MatMul", np.float32, np.float32, threads)),
        "onnxruntime_u8s8": _rate(_onnx_product("MatMulInteger", np.uint8, np.int8, threads)),
    }


def torch_peak(device: torch.device, dtype: torch.dtype) -> float:
    """GFLOP/s of the best of a few products in torch; larger ones on an accelerator."""
    side = SIDE if device.type == "cpu" else 4 * SIDE
    first, second = torch.rand(2, side, side, device=device).to(dtype)

    def multiply() -> None:
        first @ second
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return _rate(multiply, side)


def _rate(multiply: Callable[[], object], side: int = SIDE) -> float:
    multiply()
    seconds = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        multiply()
        seconds.append(time.perf_counter() - started)
    return round(2 * side**3 / min(seconds) / 1e9, 1)


def _onnx_product(kind: str, left: type, right: type, threads: int) -> Callable[[], object]:
    """One product; the right matrix is a constant, as weights are."""
    types = onnx.helper.np_dtype_to_tensor_dtype
    result = np.float32 if left is np.float32 else np.int32
    generator = np.random.default_rng(0)
    weights: npt.NDArray[Any] = generator.integers(0, 64, (SIDE, SIDE)).astype(right)
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(kind, ["a", "b"], ["c"])],
        "product",
        [info("a", types(np.dtype(left)), [SIDE, SIDE])],
        [info("c", types(np.dtype(result)), [SIDE, SIDE])],
        [onnx.numpy_helper.from_array(weights, "b")],
    )
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    feed: dict[str, npt.NDArray[Any]] = {"a": generator.integers(0, 64, (SIDE, SIDE)).astype(left)}
    return lambda: session.run(None, feed)
