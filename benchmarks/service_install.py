"""The slim install of the service: how large it is, how long it takes; how fast it is ready.

A virtual environment in a temporary folder gets requirements-service.txt and this project, as
`make serve` does it. Then `defectseg serve` is started --rounds times with MODEL: seconds from the
start of the process until /ready says yes, and the memory that it holds then and at its peak after
--pictures pictures. Prints a table, writes JSON.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from defectseg.files import write_json
from defectseg.packages import read_pins
from machine import describe_machine

RESULTS = Path("benchmarks/results/service_install.json")
REQUIREMENTS = Path("requirements-service.txt")
MIB = 2**20
LARGEST = 8  # packages that are named
SIDE = 512  # px of the pictures
WAIT_S = 120


@dataclass(frozen=True)
class Start:
    """One start of the service."""

    ready_s: float  # from the start of the process until /ready says yes
    idle_mib: float  # then
    peak_mib: float  # after the pictures


def main() -> None:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "venv"
        seconds = install(folder)
        sizes = measure(folder)
        starts = [start(folder, arguments) for _ in range(arguments.rounds)]
    report = {
        "machine": describe_machine(),
        "setting": {
            "rounds": arguments.rounds,
            "pictures": arguments.pictures,
            "picture_px": SIDE,
            "model_mib": round(arguments.model.stat().st_size / MIB, 1),
        },
        "packages": len(read_pins(REQUIREMENTS)[0]),
        "install_seconds": round(seconds, 1),
        "installed_mib": round(sum(sizes.values()) / MIB, 1),
        "largest_mib": {name: round(size / MIB, 1) for name, size in largest(sizes)},
        "ready_seconds": round(median(each.ready_s for each in starts), 2),
        "idle_mib": round(median(each.idle_mib for each in starts), 1),
        "peak_mib": round(median(each.peak_mib for each in starts), 1),
    }
    for key in list(report)[2:]:
        print(f"{key:16} {report[key]}")
    write_json(arguments.out, report)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("models/unet.onnx"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=50, help="posted after each start")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def install(folder: Path) -> float:
    """Make the environment; seconds, the downloads included."""
    started = time.perf_counter()
    run(sys.executable, "-m", "venv", folder)
    pip = (folder / "bin/python", "-m", "pip", "install", "--quiet")
    run(*pip, "--requirement", REQUIREMENTS)
    run(*pip, "--no-deps", "--editable", ".")
    return time.perf_counter() - started


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def measure(folder: Path) -> dict[str, int]:
    """Bytes of each folder in site-packages, bundled libraries with their package; the rest."""
    (site,) = folder.glob("lib/python3*/site-packages")
    sizes: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            inside = path.is_relative_to(site)
            name = path.relative_to(site).parts[0] if inside else "the environment itself"
            name = name.removesuffix(".libs").lower().partition("-")[0]
            name = {"pil": "pillow"}.get(name, name)
            sizes[name] = sizes.get(name, 0) + path.stat().st_size
    return sizes


def largest(sizes: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    """The largest packages, largest first."""
    return sorted(sizes.items(), key=lambda item: -item[1])[:LARGEST]


def start(folder: Path, arguments: argparse.Namespace) -> Start:
    """Start the service, wait until it is ready, post pictures, stop it."""
    settings = {
        "DEFECTSEG_PORT": "0",
        "DEFECTSEG_MODEL": str(arguments.model),
        "DEFECTSEG_DRAIN_DELAY_S": "0",
        "ORT_DISABLE_TELEMETRY": "1",
    }
    started = time.perf_counter()
    process = subprocess.Popen(
        [folder / "bin/defectseg", "serve"],
        env=os.environ | settings,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{read_port(process)}"
        wait_until_ready(url)
        ready = time.perf_counter() - started
        idle = read_memory(process, "VmRSS")
        for _ in range(arguments.pictures):
            post(url, draw())
        return Start(ready, idle, read_memory(process, "VmHWM"))
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)


def read_port(process: subprocess.Popen[str]) -> int:
    """The port that the log names."""
    for line in process.stderr or ():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "listening":
            return int(event["port"])
    raise SystemExit(f"the service ended with status {process.wait()} before it listened")


def wait_until_ready(url: str) -> None:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/ready", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    raise SystemExit(f"{url}/ready has not said yes for {WAIT_S} s")


def read_memory(process: subprocess.Popen[str], what: str) -> float:
    """MiB of the process, as Linux counts them: VmRSS = now, VmHWM = its peak."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    line = next(line for line in lines if line.startswith(f"{what}:"))
    return int(line.split()[1]) / 1024


def draw() -> bytes:
    """A grey picture as JPEG."""
    buffer = io.BytesIO()
    Image.effect_noise((SIDE, SIDE), 40).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def post(url: str, content: bytes) -> dict[str, Any]:
    """Post one picture to /v1/analyze."""
    boundary = "defectseg"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    request = urllib.request.Request(f"{url}/v1/analyze", body, headers)
    with urllib.request.urlopen(request, timeout=WAIT_S) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


if __name__ == "__main__":
    main()
