"""A seed in, docs/images/synthetic.jpg out: synthetic tiles, one row a class, masks outlined."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from defectseg.data.synthetic.defects import PAINTERS
from defectseg.data.synthetic.photographs import FREE, Photograph, SyntheticParams, draw_photographs

CELL = (150, 160)  # width and height of one picture on the sheet, px
LABEL = 78  # width of the label column, px
GAP = 6
OUTLINE = (255, 70, 40)
JPEG_QUALITY = 80


def main() -> None:
    arguments = parse_arguments()
    rows = choose_pictures(arguments.seed, arguments.columns)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(rows, arguments.columns).save(arguments.out, quality=JPEG_QUALITY)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images/synthetic.jpg"))
    parser.add_argument("--seed", type=int, default=7, help="seed of the synthetic tiles")
    parser.add_argument("--columns", type=int, default=7, help="surfaces shown of each class")
    return parser.parse_args()


def choose_pictures(seed: int, columns: int) -> dict[str, list[Photograph]]:
    """Choose for every class the brightest photograph of each of its first `columns` surfaces."""
    chosen: dict[str, dict[str, Photograph]] = {kind: {} for kind in (FREE, *PAINTERS)}
    params = SyntheticParams(
        seed=seed, pictures=10**6, clean_fraction=0.2, width=(103, 632), height=(222, 403)
    )
    for surface, photograph in draw_photographs(params):
        row = chosen[surface.kind]
        if surface.name in row or len(row) < columns:
            row[surface.name] = photograph  # exposures come in rising order
        elif all(len(row) == columns for row in chosen.values()):
            break
    return {kind: list(row.values()) for kind, row in chosen.items()}


def draw_sheet(rows: dict[str, list[Photograph]], columns: int) -> Image.Image:
    """Paste the pictures beside their class's name."""
    size = (LABEL + columns * (CELL[0] + GAP), GAP + len(rows) * (CELL[1] + GAP))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for row, (kind, photographs) in enumerate(rows.items()):
        top = GAP + row * (CELL[1] + GAP)
        pen.text((GAP, top + CELL[1] // 2 - 8), kind, fill="black", font=font)
        for column, photograph in enumerate(photographs):
            picture = outline_mask(photograph)
            left = LABEL + column * (CELL[0] + GAP) + (CELL[0] - picture.width) // 2
            sheet.paste(picture, (left, top + (CELL[1] - picture.height) // 2))
    return sheet


def outline_mask(photograph: Photograph) -> Image.Image:
    """Fit a picture into a cell and draw the line around its defect."""
    height, width = photograph.image.shape
    scale = min(CELL[0] / width, CELL[1] / height)
    size = (round(width * scale), round(height * scale))
    picture = Image.fromarray(photograph.image).resize(size, Image.Resampling.LANCZOS)
    inside = np.asarray(Image.fromarray(photograph.mask).resize(size)) > 60
    near = ndimage.binary_dilation(inside, iterations=2)
    line = ndimage.binary_dilation(near) & ~near
    colour = np.array(picture.convert("RGB"))
    colour[line] = OUTLINE
    return Image.fromarray(colour)


if __name__ == "__main__":
    main()
