"""Data sets in the layout of Pascal VOC, drawn by tests."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from conftest import mask, write_picture

LABEL_MAP = """# label:color_rgb:parts:actions
background:0,0,0::
crack:128,0,0::
Dark spot:0,128,0::
"""
VOC_COLOURS = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]  # of the indexes 0..3
VOID = (224, 224, 192)


def write_voc(
    root: Path, masks: dict[str, Image.Image], label_map: str | bytes | None = LABEL_MAP
) -> Path:
    """Write JPEGImages/<key>.jpg and SegmentationClass/<key>.png of each mask, and labelmap.txt."""
    for key, image in masks.items():
        write_picture(root / "JPEGImages" / f"{key}.jpg", image.width, image.height)
        path = root / "SegmentationClass" / f"{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    if label_map is not None:
        content = label_map.encode() if isinstance(label_map, str) else label_map
        (root / "labelmap.txt").write_bytes(content)
    return root


def to_values(drawing: str) -> npt.NDArray[np.uint8]:
    """A mask as `mask` draws it, `v` being void, 255."""
    values = mask(drawing.replace("v", "9"))
    return np.where(values == 9, np.uint8(255), values)


def grey(drawing: str) -> Image.Image:
    """A grey mask of the values drawn."""
    return Image.fromarray(to_values(drawing))


def palette(drawing: str) -> Image.Image:
    """A mask of Pascal VOC: indexes of its palette."""
    image = grey(drawing)
    colours = [*VOC_COLOURS, *[(0, 0, 0)] * 251, VOID]
    image.putpalette([value for colour in colours for value in colour])
    return image


def rgb(drawing: str) -> Image.Image:
    """A mask of CVAT: its colours."""
    return palette(drawing).convert("RGB")


def list_pictures(root: Path, name: str, content: str) -> None:
    """Write a list of ImageSets/Segmentation."""
    path = root / "ImageSets" / "Segmentation" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
