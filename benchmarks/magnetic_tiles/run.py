"""Train and score settings on the folds: all runs that are missing. See docs/benchmark.md.

A run that is done is not done again: its files are in results/. An interrupted one is resumed.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from fold import Run, run_fold
from protocol import EXPOSURES, Protocol, add_places, open_protocol
from settings import add_settings, read_setting
from starts import start_of

from defectseg.determinism import ComputeParams
from defectseg.errors import DefectsegError
from defectseg.network.training import ModelFiles

RANDOM_SPLIT = "draw the pictures into the folds one by one: what such a leak is worth"
LEFT_OUT = "train without an exposure, 1 to 6, and test on it alone; several: one after the other"


def main() -> None:
    arguments = parse_arguments()
    protocol = open_protocol(arguments.source, arguments.work)
    wanted = [
        Run(setting, fold, seed, exposure, arguments.random_split)
        for exposure in arguments.left_out
        for seed in arguments.seeds
        for setting in arguments.settings
        for fold in arguments.folds
    ]
    missing = [run for run in wanted if not run.facts.exists()]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} runs are done", flush=True)
    compute = ComputeParams(seed=0, threads=arguments.threads, device=arguments.device)
    all_threads = compute.model_copy(update={"threads": arguments.threads * arguments.jobs})
    work = arguments.work
    starts = {name: start_of(read_setting(name), all_threads, work) for name in arguments.settings}
    jobs = [Job(run, starts[run.setting], protocol, compute, work) for run in missing]
    train_all(jobs, arguments.jobs)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_settings(parser)
    add = parser.add_argument
    folds = list(range(5))
    add("--folds", type=int, nargs="+", default=folds, choices=folds, help="default: all five")
    add("--seeds", type=int, nargs="+", default=[0], help="default: 0")
    which = EXPOSURES
    add(
        "--left-out", type=int, nargs="+", default=[None], choices=which, metavar="N", help=LEFT_OUT
    )
    add("--random-split", action="store_true", help=RANDOM_SPLIT)
    add_places(parser)
    add("--jobs", type=int, default=1, help="trainings at once; default: 1")
    add("--threads", type=int, default=2, help="of each training; default: 2")
    add("--device", default="auto", help="auto, cpu or cuda; default: auto")
    arguments = parser.parse_args()
    if arguments.random_split and arguments.left_out != [None]:
        parser.error("--random-split draws all exposures; ask for --left-out by itself")
    return arguments


@dataclass(frozen=True)
class Job:
    """One run and all that it needs, for a process of its own: seeds and threads belong to one."""

    run: Run
    start: ModelFiles | None
    protocol: Protocol
    compute: ComputeParams
    work: Path

    def __call__(self) -> None:
        """Do it."""
        setting = read_setting(self.run.setting)
        run_fold(self.run, setting, self.start, self.protocol, self.compute, self.work)


def train_all(jobs: Sequence[Job], at_once: int) -> None:
    """Run all; one that fails is named, and the others go on."""
    started, failed = time.perf_counter(), []
    os.environ["TQDM_DISABLE"] = "1"  # several bars in one terminal are none
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, mp_context=spawn, max_tasks_per_child=1) as pool:
        futures = {pool.submit(job): job.run.name for job in jobs}
        for count, future in enumerate(as_completed(futures), start=1):
            minutes = (time.perf_counter() - started) / 60
            if error := future.exception():
                failed.append(futures[future])
                print(f"{futures[future]} failed: {error}", file=sys.stderr, flush=True)
            else:
                print(f"{count} of {len(jobs)}, {minutes:.0f} min: {futures[future]}", flush=True)
    if failed:
        raise SystemExit(f"{len(failed)} runs failed: {', '.join(failed)}")


if __name__ == "__main__":
    try:
        main()
    except DefectsegError as error:
        raise SystemExit(f"error: {error}") from error
