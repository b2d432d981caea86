"""The service under load, beside three peers and the bare model: a table and JSON.

Contenders, each with the same model file, threads and JPEG files, each a process of its own:

defectseg   `defectseg serve` with its defaults: verdict, defects, mask as run lengths
FastAPI     a plain handler around ONNX Runtime, uvicorn's defaults: mask as PNG, as the next two
            (with +verdict around our package, for the same reply as ours: only at most and quiet)
LitServe    its three steps, one worker process for each worker of ours
BentoML     its decorators, one worker process for each worker of ours

Yardsticks without HTTP, see service_bare.py:

bare            decoding and inference in a loop, as many at once as the servers have workers
bare+verdict    the same, then the verdict, the defects and the mask as JSON, as the service tells
bare, single    on two cores: one picture after the other, on two threads

First setting: the servers on one core, one worker with one thread; the load generator alone on
another. Second setting: servers with two workers on two cores, the generator on the same two,
before all others; its share of the processor is small and counts against the servers.

They take turns, so that a busy moment of the machine hits all; medians of the rounds, and ratios to
the bare loop of the same round. Latency counts from when a request was due: see service_load.py.

knee    the highest rate offered at which 99 % of the replies are 200, their p99 is at most ten
        times the median of the bare loop, and the median of the last quarter at most twice that of
        the first (no growing queue); found by bisection, a rate that fails gets a second try

    python -m venv build/peers && build/peers/bin/pip install -r benchmarks/requirements-peers.txt
    python benchmarks/service.py
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median as middle

from defectseg.data.layouts.folders import pictures_below
from defectseg.files import write_json
from machine import describe_machine
from service_contenders import BARE, OURS, SAME, Loop, bare_loops, serving
from service_process import Server
from service_report import print_report, to_report
from service_trials import Setting, Spans, Trial, Trials

RESULTS = Path("benchmarks/results/service.json")
NAMES = (OURS, SAME, "FastAPI", "LitServe", "BentoML")
RATES = (0.5, 0.9, 1.2)  # of the knee
QUIET = 0.2  # of the bare loop's pictures/s: nobody ever waits


def main() -> None:
    arguments = parse_arguments()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = choose_pictures(arguments.pictures, folder / "pictures", arguments.count)
        last = max(os.sched_getaffinity(0))
        first = min(os.sched_getaffinity(0))
        one = measure_one_core(arguments, Setting("one core", (first,), last, 1, 1), pictures)
        two = measure_most(arguments, Setting("two cores", (first, last), None, 2, 1), pictures)
    report = {
        "machine": describe_machine(),
        "setting": describe_setting(arguments, round(time.monotonic() - started)),
        **to_report(one, two),
    }
    print_report(report)
    write_json(arguments.out, report)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("models/unet.onnx"))
    parser.add_argument("--pictures", type=Path, default=Path("data/tiles/images"))
    parser.add_argument("--count", type=int, default=32, help="pictures, sent in turn")
    parser.add_argument("--peers", type=Path, default=Path("build/peers/bin/python"))
    parser.add_argument("--names", nargs="+", default=NAMES, choices=NAMES, help="contenders")
    parser.add_argument("--rounds", type=int, default=3, help="of the most pictures/s")
    parser.add_argument("--rate-rounds", type=int, default=2, help="of the latency at a rate")
    parser.add_argument("--poisson", type=int, help="draw the gaps from this seed; default: even")
    parser.add_argument("--scale", type=float, default=1, help="of all durations, to try it out")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    arguments = parser.parse_args()
    for name in ("model", "peers", "pictures"):
        if not getattr(arguments, name).exists():
            parser.error(f"--{name}: there is no {getattr(arguments, name)}; see above")
    if len(os.sched_getaffinity(0)) < 2:
        parser.error("two cores are needed: one for the servers, one for the load generator")
    # Not resolved: the Python of a virtual environment is a link to one that lacks its packages.
    arguments.peers = arguments.peers.absolute()
    arguments.model = arguments.model.resolve()
    return arguments


def choose_pictures(folder: Path, chosen: Path, count: int) -> Path:
    """Copy pictures spread evenly over all."""
    chosen.mkdir()
    found = [path for path in pictures_below(folder) if path.suffix == ".jpg"]
    for number in range(min(count, len(found))):
        path = found[number * len(found) // count]
        shutil.copy(path, chosen / path.name)
    return chosen


def measure_one_core(arguments: argparse.Namespace, setting: Setting, pictures: Path) -> Trial:
    """All measurements."""
    spans = Spans().scaled(arguments.scale)
    trials = Trials(setting, pictures, arguments.poisson)
    with start_all(arguments, setting, pictures) as (servers, loops):
        most = take_turns(arguments.rounds, servers, loops, trials, spans.most)
        rates = {name: middle([one["pictures_per_second"] for one in most[name]]) for name in most}
        bare_ms = middle([one["p50_ms"] for one in most[BARE]])
        say("a quiet rate")
        quiet = {
            name: trials.at_rate(server, QUIET * rates[BARE], spans.quiet)
            for name, server in servers.items()
        }
        ready_s, knees = ready(servers), {}
        servers.pop(SAME, None)  # its way with a load is that of FastAPI
        for name, server in servers.items():
            say(f"knee of {name}")
            knees[name] = trials.knee(server, bare_ms, rates[name], spans.knee)
        return {
            "setting": vars(setting),
            "ready_s": ready_s,
            "most": most,
            "quiet": quiet,
            "knee": knees,
            "rates": at_shares(arguments.rate_rounds, servers, trials, knees, spans.rate),
            "memory_mib": {name: round(one.memory_mib(), 1) for name, one in servers.items()},
            "processes": {name: one.count_processes() for name, one in servers.items()},
            "overload": {
                name: overload(trials, name, server, knees[name], spans)
                for name, server in servers.items()
            },
            "lateness_p99_ms": trials.lateness_p99_ms,
        }


def at_shares(
    rounds: int,
    servers: dict[str, Server],
    trials: Trials,
    knees: dict[str, float],
    seconds: float,
) -> dict[str, dict[str, list[Trial]]]:
    """Latency at shares of each one's knee, round by round."""
    found: dict[str, dict[str, list[Trial]]] = {
        name: {str(share): [] for share in RATES} for name in servers
    }
    for _ in range(rounds):
        for share in RATES:
            say(f"{share} of the knee")
            for name, server in servers.items():
                told = trials.at_rate(server, share * knees[name], seconds)
                found[name][str(share)].append(told)
    return found


def overload(trials: Trials, name: str, server: Server, knee: float, spans: Spans) -> Trial:
    """Ours for a minute; the peers shorter, and then they end: they would go on for long."""
    say(f"overload of {name}")
    if name == OURS:
        return trials.overload(server, knee, spans.before, spans.overload, spans.after)
    with server:
        return trials.overload(
            server, knee, spans.peers_before, spans.peers_overload, spans.peers_after
        )


def measure_most(arguments: argparse.Namespace, setting: Setting, pictures: Path) -> Trial:
    """Only the most pictures/s."""
    spans = Spans().scaled(arguments.scale)
    trials = Trials(setting, pictures)
    with start_all(arguments, setting, pictures) as (servers, loops):
        rounds = max(1, arguments.rounds - 1)
        most = take_turns(rounds, servers, loops, trials, spans.most)
        return {"setting": vars(setting), "ready_s": ready(servers), "most": most}


@contextmanager
def start_all(
    arguments: argparse.Namespace, setting: Setting, pictures: Path
) -> Iterator[tuple[dict[str, Server], dict[str, Loop]]]:
    """The servers and the bare loops, all warm."""
    say(f"start, {setting.name}")
    picture = min(pictures.iterdir())
    logs = pictures.parent
    with (
        bare_loops(arguments.model, setting, pictures) as loops,
        serving(
            arguments.names, arguments.model, arguments.peers, setting, picture, logs
        ) as servers,
    ):
        warm = Trials(setting, pictures)
        for server in servers.values():
            warm.most(server, 1)
        yield servers, loops


def take_turns(
    rounds: int, servers: dict[str, Server], loops: dict[str, Loop], trials: Trials, seconds: float
) -> dict[str, list[Trial]]:
    """The most pictures/s of each, round by round."""
    found: dict[str, list[Trial]] = {name: [] for name in (*loops, *servers)}
    for _ in range(rounds):
        say("at most")
        for name, loop in loops.items():
            found[name].append(loop(seconds))
        for name, server in servers.items():
            found[name].append(trials.most(server, seconds))
    return found


def say(what: str) -> None:
    """Tell on stderr what is measured now."""
    print(time.strftime("%H:%M:%S"), what, file=sys.stderr, flush=True)


def describe_setting(arguments: argparse.Namespace, seconds: int) -> Trial:
    names = ("count", "rounds", "rate_rounds", "poisson", "scale")
    return {
        **{name: getattr(arguments, name) for name in names},
        "spans_s": vars(Spans().scaled(arguments.scale)),
        "seconds": seconds,
        "packages": installed(arguments.peers),
    }


def installed(python: Path) -> dict[str, str]:
    """The versions that the peers ran with."""
    code = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"
    names = ("fastapi", "uvicorn", "litserve", "bentoml", "onnxruntime", "pillow", "numpy")
    done = subprocess.run([python, "-c", code, *names], check=True, capture_output=True, text=True)
    return dict(zip(names, done.stdout.split(), strict=True))


def ready(servers: dict[str, Server]) -> dict[str, float]:
    """Seconds from the start to the first answer."""
    return {name: round(server.ready_s, 1) for name, server in servers.items()}


if __name__ == "__main__":
    main()
