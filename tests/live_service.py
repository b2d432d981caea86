"""The service as it runs in a factory: a process of its own, a real socket, its log and metrics."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from drawn_model import write_model

CODE = "from defectseg.cli import app; app()"
SECONDS = 60  # for the process to start or to end
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? ([^ ]+)$")


@dataclass
class LiveService:
    """A running service."""

    process: subprocess.Popen[str]
    host: str = "127.0.0.1"
    port: int = 0
    lines: list[str] = field(default_factory=list)  # of its log so far
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=SECONDS))

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def log(self) -> list[dict[str, Any]]:
        """The events of its log so far."""
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Those of one kind."""
        return [event for event in self.log() if event.get("event") == name]

    def metrics(self) -> dict[str, float]:
        """Every sample by name and labels, such as `defectseg_shed_total{reason="QUEUE_FULL"}`."""
        found = {}
        for line in self.client.get(f"{self.url}/metrics").text.splitlines():
            if match := SAMPLE.match(line):
                labels = f"{{{match[2]}}}" if match[2] else ""
                found[match[1] + labels] = float(match[3])
        return found

    def metric(self, name: str, **labels: str) -> float:
        """One sample; 0 where there is none yet."""
        inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
        return self.metrics().get(f"{name}{{{inside}}}" if inside else name, 0.0)

    def analyze(self, content: bytes, name: str = "a.png", **query: Any) -> httpx.Response:
        """Post one picture."""
        return self.client.post(
            f"{self.url}/v1/analyze", files={"image": (name, content)}, params=query
        )

    def memory_mib(self, what: str = "VmRSS") -> float:
        """Resident memory now, or its peak by `VmHWM`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(f"{what}:"))
        return int(line.split()[1]) / 1024

    def wait_for(self, condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
        """Wait until something is so, while the process runs."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert self.process.poll() is None, "\n".join(self.lines)
            assert time.monotonic() < end, "\n".join(self.lines[-20:])
            time.sleep(0.01)
        return found

    def is_ready(self) -> bool:
        """Whether it says that it takes work."""
        try:
            return self.client.get(f"{self.url}/ready").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def serving(
    folder: Path,
    *,
    model: Path | None = None,
    wrapper: tuple[str, ...] = (),
    log: str | None = None,
    **settings: Any,
) -> Iterator[LiveService]:
    """Start the service on a free port and wait until it is ready; end it afterwards.

    Args:
        folder: Its working folder; a drawn model is written there unless one is given.
        wrapper: A command that starts it, such as ("taskset", "-c", "0").
        log: A file for its log, which is not read then: a port has to be given too.
        settings: Such as slots=2; each becomes DEFECTSEG_SLOTS=2.
    """
    given = {"port": 0, "model": model or write_model(folder / "models/unet.onnx")}
    given |= {"drain_delay_s": 0, "log_level": "info"} | settings
    kept = {name: value for name, value in os.environ.items() if "DEFECTSEG_" not in name}
    with Path(log).open("wb") if log else nullcontext(subprocess.PIPE) as stderr:
        process = subprocess.Popen(
            [*wrapper, sys.executable, "-c", CODE, "serve"],
            cwd=folder,
            env=kept | {f"DEFECTSEG_{name.upper()}": str(value) for name, value in given.items()},
            stderr=stderr,
            text=True,
            errors="replace",
        )
    service = LiveService(process, port=int(given["port"]))
    reader = threading.Thread(target=read_log, args=(service,), daemon=True)
    reader.start()
    try:
        if not service.port:
            event = service.wait_for(lambda: service.events("listening"))[0]
            service.host, service.port = event["host"], event["port"]
        service.wait_for(service.is_ready)
        yield service
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(SECONDS)
        reader.join(SECONDS)
        service.client.close()
        if process.stderr:
            process.stderr.close()


def read_log(service: LiveService) -> None:
    """Keep the log's lines as they come."""
    if service.process.stderr:
        for line in service.process.stderr:
            service.lines.append(line.rstrip("\n"))
