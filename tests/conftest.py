"""Little pictures, masks and data sets that tests draw for themselves, and a real file server."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from PIL import Image

from defectseg.data.load import LoadParams
from ran_project import Clone, run_project

SIZE = (80, 72)  # width and height of a drawn picture, px
looks_at_the_clock = pytest.mark.flaky(reruns=2)  # of a machine that others use too


def mask(drawing: str, scale: int = 1) -> npt.NDArray[np.uint8]:
    """A mask (H, W) as drawn: `.` is 0, `#` is 1, a digit is itself; one line a row.

    Each character becomes scale × scale pixels.
    """
    values = {".": 0, "#": 1}
    rows = [[values.get(c) if c in values else int(c) for c in row] for row in drawing.split()]
    return np.kron(np.array(rows, dtype=np.uint8), np.ones((scale, scale), dtype=np.uint8))


def write_picture(path: Path, width: int = SIZE[0], height: int = SIZE[1], grey: int = 120) -> Path:
    """Write a grey picture with grain; another name, another grain."""
    generator = np.random.default_rng(zlib.crc32(path.stem.encode()))
    grain = generator.normal(0, 12, (height, width))
    return save_array(path, np.clip(grey + grain, 0, 255).astype(np.uint8))


def write_mask(
    path: Path, width: int = SIZE[0], height: int = SIZE[1], value: int = 255, area: int = 6
) -> Path:
    """Write a mask with a square of one value, `area` pixels a side, in the upper left corner."""
    array = np.zeros((height, width), dtype=np.uint8)
    array[:area, :area] = value
    return save_array(path, array)


def save_array(path: Path, array: npt.NDArray[np.uint8]) -> Path:
    """Save a picture in the format of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def write_class_folders(root: Path, classes: Mapping[str, Sequence[str]]) -> Path:
    """Write a data set as the magnetic tiles have it; masks in MT_Free/ are empty."""
    for name, stems in classes.items():
        for stem in stems:
            write_picture(root / name / "Imgs" / f"{stem}.jpg")
            write_mask(root / name / "Imgs" / f"{stem}.png", area=0 if name == "MT_Free" else 6)
    return root


def write_images_masks(root: Path, masks: Mapping[str, npt.NDArray[np.uint8]]) -> Path:
    """Write images/<key>.jpg of the size of each mask, and masks/<key>.png."""
    for key, values in masks.items():
        write_picture(root / "images" / f"{key}.jpg", values.shape[1], values.shape[0])
        save_array(root / "masks" / f"{key}.png", values)
    return root


def load_params(source: Path | str, **changes: Any) -> LoadParams:
    """The params of data_load for a source, with some of them changed."""
    params = {
        "source": str(source),
        "digest": None,
        "layout": "auto",
        "mask_kind": "auto",
        "mask_threshold": 127,
        "classes": None,
        "rename": {},
        "ignore": (),
        "keep_empty": False,
        "bit_depth": 16,
        "max_download_mb": 10,
        "max_unpacked_mb": 100,
        "max_files": 1000,
        "max_ratio": 100,
        "synthetic": {
            "seed": 0,
            "pictures": 6,
            "clean_fraction": 0.5,
            "width": (96, 120),
            "height": (96, 120),
        },
        "surfaces": surface_params(),
        "checks": committed_checks(),
    }
    return LoadParams.model_validate(params | changes)


def surface_params(**changes: Any) -> dict[str, Any]:
    """The params of data_load.surfaces, with some of them changed."""
    params = {
        "source": "pixels",
        "column": "surface",
        "regex": None,
        "similarity": 0.5,
        "neighbours": 5,
    }
    return params | changes


def committed_checks(**changes: Any) -> dict[str, Any]:
    """The params of data_load.checks as params.yaml has them, with some of them changed."""
    content = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text("utf-8"))
    return dict(content["data_load"]["checks"]) | changes


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """A data set of two clean pictures, two with a crack and one with a blowhole."""
    classes = {"MT_Free": ["f1", "f2"], "MT_Crack": ["c1", "c2"], "MT_Blowhole": ["b1"]}
    return write_class_folders(tmp_path / "class_folders", classes)


@dataclass
class FileServer:
    """One file at every address of a real HTTP server, with the faults that a test asks for."""

    url: str = ""
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)  # such as ETag; If-Range asks for it
    later_headers: dict[str, str] | None = None  # from the second answer on
    allows_ranges: bool = True
    range_shift: int = 0  # bytes between the range that is asked for and the one that is sent
    announces_length: bool = True
    statuses: list[int] = field(default_factory=list)  # answers before the file is served
    breaks: list[int] = field(default_factory=list)  # bytes after which each answer breaks off
    requests: list[dict[str, str]] = field(default_factory=list)  # headers that came, by answer
    sent: list[int] = field(default_factory=list)  # bytes of content in each answer


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """A server on this machine that the test can tell what to serve."""
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            serve(self, state)

        def do_HEAD(self) -> None:
            serve(self, state)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def serve(handler: BaseHTTPRequestHandler, state: FileServer) -> None:
    """Answer one request as the state of the server says."""
    if state.requests and state.later_headers is not None:
        state.headers = state.later_headers
    state.requests.append({name.lower(): value for name, value in handler.headers.items()})
    if state.statuses:
        handler.send_response(state.statuses.pop(0))
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    start = _range_start(state)
    body = state.content[start:]
    handler.send_response(206 if start else 200)
    if start:
        last = len(state.content) - 1
        handler.send_header("Content-Range", f"bytes {start}-{last}/{len(state.content)}")
    if state.announces_length:
        handler.send_header("Content-Length", str(len(body)))
    for name, value in state.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command == "HEAD":
        return
    body = body[: state.breaks.pop(0)] if state.breaks else body
    state.sent.append(len(body))
    with suppress(OSError):  # the client may have had enough
        handler.wfile.write(body)


def _range_start(state: FileServer) -> int:
    asked = state.requests[-1]
    same = asked.get("if-range") in {
        None,
        state.headers.get("ETag"),
        state.headers.get("Last-Modified"),
    }
    if not (state.allows_ranges and same and "range" in asked):
        return 0
    return int(asked["range"].removeprefix("bytes=").partition("-")[0]) + state.range_shift


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first waits for the project that has run; on a busy machine minutes."""
    for item in items:
        if "ran_project" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def ran_project(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A project in which the tiny pipeline has run; copy it by `copy_project`, do not change it."""
    return run_project(tmp_path_factory.mktemp("ran"), tmp_path_factory.mktemp("home"))
