"""A tiny model as the pipeline leaves it: weights, JSON, operating point and graph."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from defectseg.export.graph import export_graph
from defectseg.inference.operating_point import ClassPoint, OperatingPoint, write_point
from defectseg.network.unet import save_unet
from tiny import CLASSES, model_info, network, network_params

FILES = ("unet.safetensors", "unet.json", "operating_point.json", "unet.onnx")


def point() -> OperatingPoint:
    """One whose every number differs from the neutral one's."""
    crack, blowhole = (
        ClassPoint(defect_class=name, threshold=threshold, min_area=area)
        for name, threshold, area in zip(CLASSES, (0.4, 0.7), (3, 5), strict=True)
    )
    return OperatingPoint(
        classes=(crack, blowhole), temperature=1.5, review=0.45, reject=0.8, rule="drawn"
    )


def write_model_files(folder: Path, channels: int = 1) -> Path:
    """Write the four files of a model of grey or of colour pictures; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in model_files(channels).items():
        (folder / name).write_bytes(content)
    return folder


@cache  # tracing takes seconds
def model_files(channels: int) -> dict[str, bytes]:
    """The content of each file by its name."""
    net, info = (
        network(in_channels=channels),
        model_info(network=network_params(in_channels=channels)),
    )
    with TemporaryDirectory() as name:
        weights, graph = Path(name, "unet.safetensors"), Path(name, "unet.onnx")
        save_unet(net, info, weights)
        write_point(weights.with_name("operating_point.json"), point())
        export_graph(net, info, point(), weights, graph, opset=20)
        return {file: Path(name, file).read_bytes() for file in FILES}
