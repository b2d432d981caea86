"""A contender's name in, a process of its own that turns JPEG bytes into a mask out.

eager          our network and pixel path in PyTorch, as the stage evaluate runs them
channels_last  the same with the network's memory laid out as PyTorch advises for CPUs
onnxruntime …  our exported graph, fp32 and INT8
openvino …     the same files
fastai         what the reference project serves: `learn.predict` of a `unet_learner(resnet34)` at
               224 px, untrained: the time does not depend on the weights
"""

import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from defectseg.inference.open_engine import EngineName

Serve = Callable[[bytes], object]  # JPEG bytes → a mask
FASTAI_SIZE = 224  # px
FILES = {"fp32": "unet.onnx", "int8": "variants/unet.int8.onnx"}


def answer(connection: Connection, name: str, folder: Path, threads: int) -> None:
    """Open a contender, then time each JPEG that comes until None does; runs in a process."""
    warnings.simplefilter("ignore")
    serve = CONTENDERS[name](folder, threads)
    connection.send("ready")
    while (content := connection.recv()) is not None:
        started, used = time.perf_counter(), time.process_time()
        serve(content)
        connection.send((time.perf_counter() - started, time.process_time() - used))


def open_exported(engine: "EngineName", precision: str, folder: Path, threads: int) -> Serve:
    """Our exported graph."""
    from defectseg.data.picture import decode_picture
    from defectseg.inference.engine_settings import EngineSettings
    from defectseg.inference.open_engine import open_engine

    loaded = open_engine(folder / FILES[precision], engine, EngineSettings(threads))
    return lambda content: loaded.run(decode_picture(content, loaded.facts.channels)[None]).mask


def open_eager(channels_last: bool, folder: Path, threads: int) -> Serve:
    """Our network in PyTorch."""
    import torch

    from defectseg.data.picture import decode_picture
    from defectseg.inference.operating_point import read_point
    from defectseg.inference.torch_engine import TorchEngine
    from defectseg.network.unet import load_unet

    torch.set_num_threads(threads)
    network, info = load_unet(folder / "unet.safetensors")
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
        network.register_forward_pre_hook(
            lambda _, planes: planes[0].contiguous(memory_format=torch.channels_last)
        )
    point = read_point(folder / "operating_point.json")
    engine = TorchEngine(network, info.image_size, point, torch.device("cpu"))
    return lambda content: engine.run(decode_picture(content, info.network.in_channels)[None]).mask


def open_fastai(folder: Path, threads: int) -> Serve:
    """Plain fastai, as its tutorial has it; six classes as ours."""
    import torch
    from fastai.vision.all import Resize, SegmentationDataLoaders, resnet34
    from fastai.vision.learner import unet_learner
    from PIL import Image

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as name:
        for stem in ("a", "b"):
            Image.fromarray(np.zeros((64, 64), np.uint8)).save(Path(name, f"{stem}.png"))
        dls = SegmentationDataLoaders.from_label_func(
            name,
            fnames=[Path(name, "a.png"), Path(name, "b.png")],
            label_func=lambda path: Path(name, "a.png"),
            codes=["background", *"12345"],
            bs=1,
            valid_pct=0.5,
            item_tfms=Resize(FASTAI_SIZE),
            device=torch.device("cpu"),
        )
        learn = unet_learner(dls, resnet34, pretrained=False, weights=None)

    def serve(content: bytes) -> object:
        with learn.no_bar(), learn.no_logging():
            return learn.predict(content)[0]

    return serve


CONTENDERS: dict[str, Callable[[Path, int], Serve]] = {
    "eager": partial(open_eager, False),
    "channels_last": partial(open_eager, True),
    "onnxruntime fp32": partial(open_exported, "onnxruntime", "fp32"),
    "onnxruntime int8": partial(open_exported, "onnxruntime", "int8"),
    "openvino fp32": partial(open_exported, "openvino", "fp32"),
    "openvino int8": partial(open_exported, "openvino", "int8"),
    "fastai": open_fastai,
}
