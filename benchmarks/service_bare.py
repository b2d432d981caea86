"""A model and JPEG files in, pictures/s of nothing but decoding and inference out: the yardstick.

No HTTP, no threads that hand on. Every line on stdin is JSON, {"seconds": 4, "verdict": false}; one
line of JSON answers it. So the loop can take turns with the servers without starting anew. With
`verdict` each picture is judged and its result written as JSON too: all that the service tells.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from defectseg.data.picture import decode_picture
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.inference.predictor import predict
from defectseg.inference.result import ModelResult, to_result

WARM_UP = 5  # pictures


def main() -> None:
    arguments = parse_arguments()
    engine = OnnxEngine(arguments.model, arguments.threads)
    contents = [file.read_bytes() for file in sorted(arguments.pictures.iterdir())]
    with ThreadPoolExecutor(arguments.workers) as pool:
        for content in contents[:WARM_UP]:
            tell(engine, content)
        print("ready", flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            treat = tell if asked["verdict"] else infer
            started, used = time.perf_counter(), time.process_time()
            runs = [
                pool.submit(
                    work,
                    partial(treat, engine),
                    contents[number * len(contents) // arguments.workers :] + contents,
                    started + asked["seconds"],
                )
                for number in range(arguments.workers)
            ]
            times = sorted(one for run in runs for one in run.result())
            seconds, used = time.perf_counter() - started, time.process_time() - used
            told = {
                "pictures_per_second": round(len(times) / seconds, 2),
                "cpu_ms": round(1000 * used / len(times), 2),
                "p50_ms": round(1000 * times[len(times) // 2], 2),
            }
            print(json.dumps(told), flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--threads", type=int, default=1, help="inside one inference")
    parser.add_argument("--workers", type=int, default=1, help="pictures at once")
    return parser.parse_args()


def work(treat: Callable[[bytes], object], contents: list[bytes], end: float) -> list[float]:
    """Treat one picture after the other until the time is over; seconds of each."""
    times: list[float] = []
    while (started := time.perf_counter()) < end:
        treat(contents[len(times) % len(contents)])
        times.append(time.perf_counter() - started)
    return times


def infer(engine: OnnxEngine, content: bytes) -> None:
    """Bytes → probabilities and mask."""
    engine.run(decode_picture(content, engine.facts.channels)[None])


def tell(engine: OnnxEngine, content: bytes) -> None:
    """Bytes → verdict, defects and mask as JSON."""
    facts = engine.facts
    found = predict(engine, decode_picture(content, facts.channels), facts.point)
    model: ModelResult = {"version": facts.package_version, "sha256": ""}
    json.dumps(to_result("", found, facts.classes, model, {}))


if __name__ == "__main__":
    main()
