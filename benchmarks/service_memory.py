"""The peak memory of `defectseg serve`, by how many pictures of which size come at once.

Each row is a process of its own with the default settings: it starts, gets the pictures `--rounds`
times, and tells the peak of its resident memory. Pictures are grain with dark specks, as PNG, so
that there is something to decode and to judge. Prints a table, writes JSON.
"""

import argparse
import io
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from defectseg.files import write_json
from machine import describe_machine
from service_process import Launch, Server, free_port

RESULTS = Path("benchmarks/results/service_memory.json")
CODE = "from defectseg.cli import app; app()"
ROWS = ((1, 0.2), (32, 0.2), (1, 3.0), (16, 3.0), (1, 12.0), (4, 12.0), (2, 15.9))  # at once, MP
READY = b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENCE_S = 120
SPECK = 40  # px: a side of what is drawn as a defect


def main() -> None:
    arguments = parse_arguments()
    rows = [measure(arguments, count, megapixels) for count, megapixels in ROWS]
    write_json(
        arguments.out,
        {"machine": describe_machine(), "model": arguments.model.name, "rows": rows},
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("models/unet.onnx"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def measure(arguments: argparse.Namespace, count: int, megapixels: float) -> dict[str, object]:
    """One row: a service that gets so many pictures at once."""
    picture, port = draw(megapixels), free_port()
    with tempfile.TemporaryDirectory() as name:
        launch = Launch(
            name="defectseg",
            command=(sys.executable, "-c", CODE, "serve"),
            path="/v1/analyze",
            folder=Path(name),
            environment={
                "DEFECTSEG_PORT": str(port),
                "DEFECTSEG_MODEL": str(arguments.model.resolve()),
                "DEFECTSEG_DEADLINE_S": str(PATIENCE_S),
                "DEFECTSEG_DRAIN_DELAY_S": "0",
            },
        )
        with Server(launch, port, (0, 1), Path(name, "log")) as server:
            server.wait_for_answer(READY)
            ready = server.peak_mib()
            codes = post_all(server.url, picture, count, arguments.rounds)
            row = {
                "pictures_at_once": count,
                "megapixels": megapixels,
                "ready_mib": round(ready),
                "peak_mib": round(server.peak_mib()),
                "codes": codes,
            }
    print(
        "{pictures_at_once:3} × {megapixels:4} MP {ready_mib:5} → {peak_mib:5} MiB  {codes}".format(
            **row
        )
    )
    return row


def draw(megapixels: float) -> bytes:
    """A grey PNG of that size, its sides as 4 to 3."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(megapixels * 1e6 / height)
    generator = np.random.default_rng(0)
    grain = generator.integers(120, 160, (height, width), dtype=np.uint8)
    for _ in range(12):
        row, column = generator.integers(0, (height - SPECK, width - SPECK))
        grain[row : row + SPECK, column : column + SPECK] //= 4
    buffer = io.BytesIO()
    Image.fromarray(grain).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def post_all(url: str, picture: bytes, count: int, rounds: int) -> dict[str, int]:
    """Post a picture so many times at once, again and again; how often which status came."""

    def post(_: int) -> int:
        return httpx.post(url, files={"image": picture}, timeout=PATIENCE_S).status_code

    statuses: dict[str, int] = {}
    with ThreadPoolExecutor(count) as pool:
        for _ in range(rounds):
            for status in pool.map(post, range(count)):
                statuses[str(status)] = statuses.get(str(status), 0) + 1
    return statuses


if __name__ == "__main__":
    main()
