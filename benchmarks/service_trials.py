"""A running server in, one measurement of it out: at most, at a rate, its knee, an overload."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from service_load import TOO_LATE
from service_process import Server
from service_schedule import find_knee, percentile, seconds_to_normal

HERE = Path(__file__).resolve().parent
FIELD = "image"  # of the multipart body, the same for all
IN_FLIGHT = 8  # of the closed loop: enough that no contender ever waits for us
GOOD_SHARE = 0.99  # of the replies at a rate that holds
KNEE_TIMES = 10  # p99 of a rate that holds, over the median of the bare loop
GROWTH = 2  # … and the median of its last quarter over that of its first: no queue may grow
NORMAL_TIMES = 1.5  # p99 after an overload, over p99 before it
ATTEMPTS = 4  # a run in which the generator itself was late does not count
OK, CODE = "OK", 2  # the code of a 200, and its place in a request of the generator's JSON

Trial = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What every contender gets alike."""

    name: str
    cores: tuple[int, ...]  # the servers'
    load_core: int | None  # the generator's; None = the same cores, before all others
    workers: int  # pictures at once
    threads: int  # inside one inference


@dataclass(frozen=True)
class Spans:
    """How long each measurement takes, s."""

    most: float = 3
    quiet: float = 5
    knee: float = 4
    rate: float = 5
    before: float = 10
    overload: float = 60
    after: float = 15
    peers_before: float = 4
    peers_overload: float = 10
    peers_after: float = 5

    def scaled(self, scale: float) -> "Spans":
        """All of them shorter, for a trial of this program."""
        return Spans(**{name: scale * seconds for name, seconds in vars(self).items()})


class Trials:
    """Measures servers one at a time, with a generator in a process of its own."""

    def __init__(self, setting: Setting, pictures: Path, poisson: int | None = None) -> None:
        self._setting = setting
        self._pictures = pictures
        self._poisson = poisson
        self.lateness_p99_ms: list[float] = []

    def most(self, server: Server, seconds: float) -> Trial:
        """Pictures/s with always some at work."""
        used = server.processor_seconds()
        warm_in, steady = self._load(
            server, "--in-flight", str(IN_FLIGHT), "--seconds", f"{seconds}"
        )
        used = server.processor_seconds() - used
        codes = Counter(request[CODE] for request in warm_in["requests"] + steady["requests"])
        return {
            "pictures_per_second": steady["good_per_second"],
            "cpu_ms": round(1000 * used / max(codes[OK], 1), 2),
            "codes": dict(codes),
        }

    def at_rate(self, server: Server, rate: float, seconds: float) -> Trial:
        """Latency at one offered rate."""
        return describe(self.phases(server, [(rate, seconds)])[0])

    def knee(self, server: Server, bare_ms: float, most: float, seconds: float) -> float:
        """The highest offered rate that holds."""
        return find_knee(self._holding(server, bare_ms, seconds), 0.6 * most, 1.1 * most, steps=5)

    def _holding(self, server: Server, bare_ms: float, seconds: float) -> Callable[[float], bool]:
        def holds(rate: float) -> bool:
            # A second try: one hiccup of the machine must not decide.
            return any(
                is_held(self.phases(server, [(rate, seconds)])[0], KNEE_TIMES * bare_ms)
                for _ in range(2)
            )

        return holds

    def overload(
        self, server: Server, knee: float, before: float, during: float, after: float
    ) -> Trial:
        """Half of the knee, three times the knee, half of the knee again."""
        quiet, flood, later = self.phases(
            server, [(0.5 * knee, before), (3 * knee, during), (0.5 * knee, after)]
        )
        normal = percentile(good_ms(quiet) or [0.0], 99)
        back = [(due, ms if code == OK else inf) for due, ms, code in later["requests"]]
        return {
            "offered_per_second": round(3 * knee, 1),
            "seconds": during,
            "before": describe(quiet),
            "during": describe(flood),
            "after": describe(later),
            "seconds_to_normal": seconds_to_normal(back, NORMAL_TIMES * normal),
            "peak_mib": round(server.peak_mib(), 1),
        }

    def phases(self, server: Server, phases: Sequence[tuple[float, float]]) -> list[Trial]:
        """Offer rates, each for so many seconds."""
        told = ",".join(f"{rate:.4f}x{seconds:.4f}" for rate, seconds in phases)
        drawn = () if self._poisson is None else ("--poisson", str(self._poisson))
        return self._load(server, "--phases", told, *drawn)

    def _load(self, server: Server, *arguments: str) -> list[Trial]:
        command = [sys.executable, str(HERE / "service_load.py"), server.url, "--field", FIELD]
        command += ["--pictures", str(self._pictures), *arguments]
        if self._setting.load_core is not None:
            command += ["--core", str(self._setting.load_core)]
        for _ in range(ATTEMPTS):
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if done.returncode not in (0, TOO_LATE):
                raise SystemExit(f"the load generator ended with status {done.returncode}")
            report = json.loads(done.stdout)
            phases: list[Trial] = report["phases"]
            if done.returncode == 0:
                break
        else:
            late = report["lateness_ms"]
            raise SystemExit(f"the load generator is late, {late} ms: the machine is too busy")
        self.lateness_p99_ms.append(report["lateness_ms"]["p99"])
        return phases


def is_held(phase: Trial, limit_ms: float) -> bool:
    """Whether nearly all replies are good, soon, and no later at the end than at the start."""
    good = good_ms(phase)
    if len(good) < max(4, GOOD_SHARE * len(phase["requests"])) or percentile(good, 99) > limit_ms:
        return False
    quarter = len(good) // 4
    return percentile(good[-quarter:], 50) <= GROWTH * percentile(good[:quarter], 50)


def good_ms(phase: Trial) -> list[float]:
    """Milliseconds of the replies that are 200, in the order in which they were due."""
    return [ms for _, ms, code in phase["requests"] if code == OK]


def describe(phase: Trial) -> Trial:
    """The numbers of a phase that are kept."""
    told = {
        "rate": round(phase["rate"], 2),
        "codes": dict(Counter(code for _, _, code in phase["requests"])),
        "good_per_second": phase["good_per_second"],
        "good_ms": summary(good_ms(phase)),
        "refused_ms": summary([ms for _, ms, code in phase["requests"] if code != OK]),
    }
    if phase["beyond_ms"]:
        told["beyond_decode_and_infer_ms"] = summary(phase["beyond_ms"])
    return told


def summary(milliseconds: Sequence[float]) -> dict[str, float] | None:
    """The usual percentiles; None where there is nothing."""
    if not milliseconds:
        return None
    return {f"p{p}": round(percentile(milliseconds, p), 2) for p in (50, 95, 99)}
