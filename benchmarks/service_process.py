"""How to start a server in, the running process out: its start, processor time and memory."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

TICKS = os.sysconf("SC_CLK_TCK")
START_S = 120  # a server that has not answered by then never will
STOP_S = 20
MIB = 1024  # KiB
PRIORITY = -10  # of all contenders alike: more threads must not get more of a busy machine


@dataclass(frozen=True)
class Launch:
    """How a server is started."""

    name: str
    command: tuple[str, ...]
    path: str  # to POST to
    folder: Path
    environment: Mapping[str, str]


class Server:
    """A started server, with all its processes."""

    def __init__(self, launch: Launch, port: int, cores: Sequence[int], log: Path) -> None:
        self.name = launch.name
        self.url = f"http://127.0.0.1:{port}{launch.path}"
        self._log = log
        self.started = time.perf_counter()
        self.ready_s = 0.0
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                launch.command,
                cwd=launch.folder,
                env={**os.environ, **launch.environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(prepare_process, cores),
            )

    def wait_for_answer(self, request: bytes) -> None:
        """Ask until the first 200 comes; `ready_s` says how long that took from the start."""
        host, _, port = self.url.split("/")[2].partition(":")
        while time.perf_counter() - self.started < START_S:
            if self._process.poll() is not None:
                break
            if ask(host, int(port), request):
                self.ready_s = time.perf_counter() - self.started
                return
            time.sleep(0.05)
        last = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
        raise SystemExit(f"{self.name} gives no answer:\n{last}")

    def processor_seconds(self) -> float:
        """Of all its processes that live."""
        return sum(_processor_seconds(pid) for pid in processes_of(self._process.pid))

    def peak_mib(self) -> float:
        """The sum of the peaks of its processes; memory that they share counts for each."""
        return sum(_peak_kib(pid) for pid in processes_of(self._process.pid)) / MIB

    def memory_mib(self) -> float:
        """What all its processes hold now; memory that they share counts once."""
        return sum(_shared_kib(pid) for pid in processes_of(self._process.pid)) / MIB

    def count_processes(self) -> int:
        return len(processes_of(self._process.pid))

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, with all that it started: they are a session of their own."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


@contextmanager
def pinned(
    command: Sequence[str], cores: Sequence[int], folder: Path
) -> Iterator[subprocess.Popen[str]]:
    """A child that talks over stdin and stdout, bound to cores."""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=partial(prepare_process, cores),
    ) as child:
        yield child
        if child.stdin:
            child.stdin.close()


def prepare_process(cores: Sequence[int]) -> None:
    """Bind a process to cores, ahead of other work on this machine where that is allowed."""
    os.sched_setaffinity(0, cores)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)


def free_port() -> int:
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        return int(plug.getsockname()[1])


def ask(host: str, port: int, request: bytes) -> bool:
    """Whether one request gets a 200."""
    try:
        with socket.create_connection((host, port), timeout=START_S) as plug:
            plug.sendall(request)
            return plug.recv(12)[9:] == b"200"
    except OSError:
        return False


def processes_of(pid: int) -> list[int]:
    """A process and all that it started, as far as they live."""
    found = [pid]
    for tasks in Path("/proc").glob(f"{pid}/task/*/children"):
        with suppress(OSError):  # a thread may have ended meanwhile
            found += [
                one for child in tasks.read_text().split() for one in processes_of(int(child))
            ]
    return found


def _processor_seconds(pid: int) -> float:
    try:
        numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(numbers[11]) + int(numbers[12])) / TICKS


def _peak_kib(pid: int) -> int:
    return _field(Path(f"/proc/{pid}/status"), "VmHWM")


def _shared_kib(pid: int) -> int:
    return _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def _field(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
