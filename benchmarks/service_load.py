"""A server's address, JPEG files and rates in, what became of each request out, as JSON.

Open loop (`--phases 20x5,60x10`: 20 requests/s for 5 s, then 60 for 10 s): requests are sent when
they are due, whatever the server does; each takes an idle keep-alive connection or opens a new one,
so no slow reply holds the next request back. `--in-flight N` keeps N requests at work for --seconds
instead, to find what a server can do at most.

Why none of the tools that exist: wrk, hey, ab, siege and Locust send again only after a reply;
vegeta and k6 keep the rate but count from the moment at which a request really left; wrk2 and oha
count from when it was due, but over a fixed number of connections. None of them tells the code of
each refusal, and how late it was itself.
"""

import argparse
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from service_client import Client, Sent
from service_schedule import Phase, percentile, send_times

BOUNDARY = "a-picture-of-a-surface"
LATENESS_MS = 1.0  # a run in which more than 1 % of the requests left later does not count
TOO_LATE = 3  # exit status
WARM_IN_S = 0.5  # of a closed loop, until its replies come as steadily as its requests go
OPEN_FILES = 20_000


def main() -> int:
    arguments = parse_arguments()
    priority = prepare_process(arguments.core)
    requests = build_requests(arguments.url, arguments.field, arguments.pictures)
    parts = urlsplit(arguments.url)
    client = Client(parts.hostname or "", parts.port or 80, requests, arguments.timeout)
    started, used = time.perf_counter(), time.process_time()
    if arguments.in_flight:
        client.run_closed(arguments.in_flight, WARM_IN_S + arguments.seconds)
        phases = [Phase(arguments.in_flight, s) for s in (WARM_IN_S, arguments.seconds)]
    else:
        phases = arguments.phases
        client.run_open(send_times(phases, arguments.poisson))
    seconds, used = time.perf_counter() - started, time.process_time() - used
    report = {
        "seconds": round(seconds, 3),
        "processor_share": round(used / seconds, 3),
        "priority": priority,
        "most_connections": client.most_connections,
        "lateness_ms": describe_lateness(client.sent),
        "phases": split_phases(client.sent, phases),
    }
    print(json.dumps(report))
    return TOO_LATE if is_too_late(client.sent, arguments.lateness_ms) else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="to POST to, such as http://127.0.0.1:8000/v1/analyze")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of JPEG files")
    parser.add_argument("--field", default="image", help="of the multipart body; default: image")
    parser.add_argument("--phases", type=parse_phases, default=[], help="RATExSECONDS,…")
    parser.add_argument("--poisson", type=int, help="draw the gaps, from this seed; default: even")
    parser.add_argument("--in-flight", type=int, default=0, help="closed loop with so many")
    parser.add_argument("--seconds", type=float, default=5, help="of the closed loop")
    parser.add_argument("--timeout", type=float, default=10, help="seconds until we give up")
    parser.add_argument("--core", type=int, help="the core that this process is bound to")
    parser.add_argument(
        "--lateness-ms", type=float, default=LATENESS_MS, help="see above; default: 1"
    )
    return parser.parse_args()


def parse_phases(text: str) -> list[Phase]:
    """`20x5,60x10` → 20 requests/s for 5 s, then 60 for 10 s."""
    parts = [one.partition("x") for one in text.split(",")]
    return [Phase(float(rate), float(seconds)) for rate, _, seconds in parts]


def prepare_process(core: int | None) -> str:
    """Bind us to a core and let us go before all others where that is allowed; say how we run."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, most), most))
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return "as all others"
    return "before all others"


def build_requests(url: str, field: str, pictures: Path) -> list[bytes]:
    """One whole HTTP request for each picture."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return [
        build_request(parts.netloc, path, field, file.name, file.read_bytes())
        for file in sorted(pictures.iterdir())
    ]


def build_request(host: str, path: str, field: str, name: str, content: bytes) -> bytes:
    """A POST of one file as multipart/form-data."""
    before = (
        f"--{BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    body = before + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    return head + body


def describe_lateness(sent: Sequence[Sent]) -> dict[str, float]:
    """How much later than due the requests left: by this the generator itself is judged."""
    late = [1000 * (one.sent - one.due) for one in sent]
    return {
        name: round(percentile(late, p), 3) for name, p in (("p50", 50), ("p99", 99), ("max", 100))
    }


def is_too_late(sent: Sequence[Sent], limit_ms: float) -> bool:
    """Whether more than 1 % left later than the limit; one alone is forgiven."""
    late = sum(1000 * (one.sent - one.due) > limit_ms for one in sent)
    return late > max(1, len(sent) / 100)


def split_phases(sent: Sequence[Sent], phases: Sequence[Phase]) -> list[dict[str, Any]]:
    """What became of the requests that were due in each phase, and how many replies came in it."""
    told, start = [], 0.0
    for phase in phases:
        end = start + phase.seconds
        due = [one for one in sent if start <= one.due < end]
        good = sum(one.status == 200 and start <= (one.done or 0) < end for one in sent)
        told.append(
            {
                "rate": phase.rate,
                "seconds": phase.seconds,
                "good_per_second": round(good / phase.seconds, 2),
                "requests": [
                    [round(one.due - start, 4), round(1000 * one.latency, 3), code_of(one)]
                    for one in due
                ],
                "beyond_ms": [ms for one in due if (ms := beyond_model(one)) is not None],
            }
        )
        start = end
    return told


def code_of(one: Sent) -> str:
    """`OK`, the code of our envelope, `HTTP 500`, or why there was no reply."""
    if one.status == 200:
        return "OK"
    if not one.status:
        return one.fault
    try:
        return str(json.loads(one.body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {one.status}"


def beyond_model(one: Sent) -> float | None:
    """Milliseconds of a reply that were neither decoding nor inference, where it tells those."""
    try:
        timings = json.loads(one.body)["timings_ms"]
        return float(round(1000 * one.latency - timings["decode"] - timings["infer"], 3))
    except (ValueError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    sys.exit(main())
