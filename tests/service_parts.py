"""The service inside a test's own process: real models, engines that can be held, ASGI calls."""

import asyncio
import atexit
import functools
import gc
import io
import json
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from defectseg.inference.engine import Output
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.service.app import build_app
from defectseg.service.codes import Failure
from defectseg.service.model import ModelHolder, ServedModel, load_model
from defectseg.service.service import Service
from defectseg.service.settings import Settings
from defectseg.service.task import Outcome, Task, Wish
from defectseg.service.times import Times
from drawn_model import paint, write_model

SECONDS = 20.0  # for what ought to happen at once, on a machine with other work
BOUNDARY = "xyz"
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
Story = Callable[..., Awaitable[None]]


def make_settings(**changes: Any) -> Settings:
    """Small and fast, whatever the machine has."""
    known = {"model": drawn_file(), "workers": 1, "threads": 1, "decoders": 2, "min_side": 1}
    return Settings(**(known | {"model_poll_s": 0} | changes))


@functools.cache
def drawn_file() -> Path:
    """The drawn model; only to be read."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write_model(Path(folder) / "drawn.onnx")


@functools.cache
def served(path: Path) -> ServedModel:
    """A model, loaded once for all tests."""
    return load_model(path, Settings(model=path, threads=1))


class WatchedEngine(OnnxEngine):
    """The real engine; counts its runs, and waits before each until the test lets it go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, 1)
        self.batches: list[tuple[int, ...]] = []  # shapes of the runs
        self.may_run = threading.Event()
        self.may_run.set()
        self.began = threading.Event()
        self.was_stopped = False  # a run was ended by its `stop`
        self.error: BaseException | None = None  # raised instead of a run

    def run(self, pictures: npt.NDArray[np.uint8], stop: Any = None) -> Output:
        self.batches.append(pictures.shape)
        self.began.set()
        while not self.may_run.wait(0.002):
            if stop is not None and stop.terminate:
                self.was_stopped = True
                break
        if self.error is not None:
            raise self.error
        return super().run(pictures, stop)


def encode_png(picture: npt.NDArray[np.uint8]) -> bytes:
    """A picture (H, W, 3) as a file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def png(drawing: str = "##.. ##..", level: int = 255) -> bytes:
    """What the drawn model sees as drawn, as a file."""
    return encode_png(paint(drawing, level))


@dataclass
class Record:
    """What was told about a task."""

    done: list[Outcome] = field(default_factory=list)
    ended: list[None] = field(default_factory=list)


def make_task(
    picture: npt.NDArray[np.uint8] | None = None,
    model: ServedModel | None = None,
    seconds: float = SECONDS,
) -> tuple[Task, Record]:
    """A task that nobody else has, and what it will tell."""
    record, now = Record(), time.monotonic()
    model = model or served(drawn_file())
    task = Task(
        *(b"", "a.png", "r1", Wish(), model, now + seconds, Times(now, now)),
        on_done=lambda _, outcome: record.done.append(outcome),
        on_end=lambda: record.ended.append(None),
        picture=picture,
    )
    return task, record


@asynccontextmanager
async def running(engine: OnnxEngine | None = None, **changes: Any) -> AsyncIterator[Service]:
    """A service that has started; afterwards it must have given back all that it took."""
    settings = make_settings(**changes)
    models = ModelHolder(settings.model, settings)
    if engine is not None:
        models._current = replace(models.current, engine=engine)
    service = Service(settings, models)
    pixels = service.pipeline.free_pixels
    await service.start()
    try:
        yield service
        await until(lambda: service.in_flight == 0, "a slot is never given back")
        assert service.pipeline.free_pixels == pixels, "pixels are never given back, or twice"
    finally:
        if isinstance(engine, WatchedEngine):
            engine.may_run.set()
        await service.stop()


async def until(condition: Callable[[], Any], what: str = "it never came about") -> Any:
    """Wait until something is so."""
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.002)
    return found


def in_loop(test: Story) -> Callable[..., None]:
    """A test that is a coroutine; what the loop would only log makes it fail."""

    @functools.wraps(test)
    def run(*values: Any, **named: Any) -> None:
        complaints: list[dict[str, Any]] = []

        async def story() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            await test(*values, **named)
            gc.collect()

        asyncio.run(story())
        assert complaints == []

    return run


@functools.lru_cache(maxsize=1)
def app_of(service: Service) -> Any:
    """The app of a service, built once."""
    return build_app(service)


@dataclass
class Call:
    """One request to an ASGI app, piece by piece; `receive` and `send` are the server's side."""

    path: str = "/v1/analyze"
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: dict(FORM))
    query: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    receives: int = 0  # how often the app asked for a piece
    came: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)

    def scope(self) -> dict[str, Any]:
        headers = [(k.lower().encode(), v.encode("latin-1")) for k, v in self.headers.items()]
        return {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": self.query.encode(),
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "asgi": {"version": "3.0"},
        }

    def push(self, body: bytes, more: bool = False) -> "Call":
        self.came.put_nowait({"type": "http.request", "body": body, "more_body": more})
        return self

    def leave(self) -> None:
        """The client closes the connection."""
        self.came.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> dict[str, Any]:
        self.receives += 1
        return await self.came.get()

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))

    def start(self, app: Any) -> "asyncio.Task[None]":
        return asyncio.ensure_future(app(self.scope(), self.receive, self.send))

    async def run(self, service: Service) -> "Call":
        await app_of(service)(self.scope(), self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def reply_headers(self) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def reply(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a failure; OK where it is none."""
        return "OK" if self.status == 200 else str(self.reply["error"]["code"])


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    """A multipart body of parts (name, filename or None, content)."""
    body = b""
    for name, filename, content in parts:
        told = f'; filename="{filename}"' if filename is not None else ""
        head = f'Content-Disposition: form-data; name="{name}"{told}'.encode()
        body += b"--%b\r\n%b\r\n\r\n%b\r\n" % (BOUNDARY.encode(), head, content)
    return body + b"--%b--\r\n" % BOUNDARY.encode()


def picture_form(content: bytes, name: str = "a.png", field_name: str = "image") -> bytes:
    """The body that posts one picture."""
    return form((field_name, name, content))


async def post(service: Service, content: bytes, **changes: Any) -> Call:
    """Post one picture."""
    return await Call(**changes).push(picture_form(content)).run(service)


async def get(service: Service, path: str, **headers: str) -> Call:
    """Ask for something."""
    call = Call(path, "GET", {name.replace("_", "-"): value for name, value in headers.items()})
    return await call.push(b"").run(service)


def metric(service: Service, name: str, **labels: str) -> float:
    """The value of a metric."""
    value = service.metrics.registry.get_sample_value(f"defectseg_{name}", labels)
    return 0.0 if value is None else value


def codes_of(outcomes: list[Outcome]) -> list[str]:
    """OK for a reply."""
    return [found.code if isinstance(found, Failure) else "OK" for found in outcomes]
