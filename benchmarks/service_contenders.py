"""A model, threads and workers in, our service, its peers and the bare loops started out."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from service_load import build_request
from service_process import Launch, Server, free_port, pinned
from service_trials import FIELD, HERE, Setting, Trial

PEERS = HERE / "service_peers"
OURS, BARE = "defectseg", "bare"
SAME = "FastAPI+verdict"  # the same reply as ours
Child = subprocess.Popen[str]
Loop = Callable[[float], Trial]  # seconds → what was done in them
VERDICT, SINGLE = "bare+verdict", "bare, single"  # as BARE no servers: see service_bare.py


def launches(model: Path, peers: Path, port: int, setting: Setting) -> dict[str, Launch]:
    """How each contender is started at a port.

    Args:
        peers: The Python of the environment of requirements-peers.txt.
    """
    ours = {
        "DEFECTSEG_MODEL": str(model),
        "DEFECTSEG_PORT": str(port),
        "DEFECTSEG_WORKERS": str(setting.workers),
        "DEFECTSEG_THREADS": str(setting.threads),
    }
    theirs = {
        "PEER_MODEL": str(model),
        "PEER_PORT": str(port),
        "PEER_WORKERS": str(setting.workers),
        "PEER_THREADS": str(setting.threads),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    python, bentoml = str(peers), str(peers.with_name("bentoml"))
    start = "from defectseg.cli import app; app()"
    at = ("--host", "127.0.0.1", "--port", str(port))
    all_of_them = (
        Launch(OURS, (sys.executable, "-c", start, "serve"), "/v1/analyze", HERE.parent, ours),
        Launch(
            "FastAPI",
            (python, "-m", "uvicorn", "plain_fastapi:app", *at),
            "/predict",
            PEERS,
            theirs,
        ),
        Launch(
            SAME,
            (sys.executable, "-m", "uvicorn", "plain_verdict:app", *at),
            "/predict",
            PEERS,
            theirs,
        ),
        Launch("LitServe", (python, "litserve_server.py"), "/predict", PEERS, theirs),
        Launch(
            "BentoML",
            (bentoml, "serve", "bentoml_service:Segmentation", *at),
            "/predict",
            PEERS,
            theirs,
        ),
    )
    return {launch.name: launch for launch in all_of_them}


@contextmanager
def serving(
    names: Sequence[str], model: Path, peers: Path, setting: Setting, picture: Path, logs: Path
) -> Iterator[dict[str, Server]]:
    """Start the contenders one after the other, each until it has answered one request."""
    with ExitStack() as stack:
        servers = {}
        for name in names:
            port = free_port()
            launch = launches(model, peers, port, setting)[name]
            log = logs / f"{name}-{setting.name.replace(' ', '-')}.log"
            server = stack.enter_context(Server(launch, port, setting.cores, log))
            at = f"127.0.0.1:{port}"
            content = picture.read_bytes()
            server.wait_for_answer(build_request(at, launch.path, FIELD, picture.name, content))
            servers[name] = server
        yield servers


@contextmanager
def bare_loops(model: Path, setting: Setting, pictures: Path) -> Iterator[dict[str, Loop]]:
    """The yardsticks that are no servers, each a function that works for so many seconds."""
    with ExitStack() as stack:
        whole = {BARE: (setting.workers, setting.threads)}
        if setting.workers > 1:
            whole[SINGLE] = (1, setting.workers * setting.threads)
        loops: dict[str, Loop] = {}
        for name, (workers, threads) in whole.items():
            command = [sys.executable, str(HERE / "service_bare.py"), str(model)]
            command += [str(pictures), "--workers", str(workers), "--threads", str(threads)]
            child = stack.enter_context(pinned(command, setting.cores, HERE))
            read_line(child)
            loops[name] = partial(work, child, False)
            if name == BARE:
                loops[VERDICT] = partial(work, child, True)
        yield loops


def work(child: Child, verdict: bool, seconds: float) -> Trial:
    """Let a bare loop work."""
    print(json.dumps({"seconds": seconds, "verdict": verdict}), file=child.stdin, flush=True)
    told: Trial = json.loads(read_line(child))
    return told


def read_line(child: Child) -> str:
    line = child.stdout.readline() if child.stdout else ""
    if not line:
        raise SystemExit("the bare loop has ended")
    return line
