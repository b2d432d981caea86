"""What `defectseg predict` was asked in, the whole run with its files and messages out."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import typer

from defectseg.commands.progress import Progress
from defectseg.commands.stopping import stop_on_signals
from defectseg.errors import DataError
from defectseg.files import write_atomically
from defectseg.inference.engine_settings import EngineSettings
from defectseg.inference.open_engine import EngineName, LoadedEngine, opened
from defectseg.inference.refusals import read_refusals
from defectseg.inference.stream.in_order import Pause
from defectseg.inference.stream.inputs import STDIN, list_pictures, read_list
from defectseg.inference.stream.journal import Journal
from defectseg.inference.stream.picture import Picture, name_picture, printable
from defectseg.inference.stream.predict_stream import Job, Outcome, fingerprint, predict_stream
from defectseg.inference.stream.stop import Stop
from defectseg.inference.stream.watch import Watch
from defectseg.inference.threads import count_threads
from defectseg.inference.writers.coco_file import NAME as COCO
from defectseg.inference.writers.coco_file import write_coco
from defectseg.inference.writers.mask_file import MASK_FILE
from defectseg.inference.writers.overlay_file import OVERLAY_FILE
from defectseg.inference.writers.picture_file import PictureFile
from defectseg.inference.writers.table import Table

PICTURE_FILES: dict[str, PictureFile] = {"png": MASK_FILE, "overlay": OVERLAY_FILE}
TABLE = "results.csv"
MOST_WORKERS = 8  # chosen without being asked
FINE, FAILED, INTERRUPTED = 0, 1, 130  # exit statuses
NEVER_RETRIED = {
    "INFERENCE_FAILED",
    "MODEL_OUTPUT_INVALID",
    "OUTPUT_FAILED",
}  # time does not mend these


@dataclass(frozen=True)
class Wish:
    """The command line, checked; see `commands.predict`."""

    names: tuple[str, ...]
    out: Path | None
    formats: tuple[str, ...]
    engine: EngineName
    model: Path
    workers: int
    threads: int
    mm_per_pixel: float | None
    watch: Path | None = None
    poll: float = 1.0
    null: bool = False
    quiet: bool = False


def run_predict(wish: Wish) -> int:
    """Predict everything that was named; returns the exit status.

    Raises:
        DataError: There is no picture, or the output cannot be written.
        ModelFileError: The model cannot be used.
    """
    try:
        return predict_wished(wish)
    except KeyboardInterrupt:  # while pictures are listed or the model is loaded, or a second one
        return INTERRUPTED


def predict_wished(wish: Wish) -> int:
    """See `run_predict`; an interruption before the first picture is raised."""
    paths = list_wished(wish)
    settings = EngineSettings(threads=wish.threads)
    with opened(wish.model, wish.engine, settings) as engine, explain_output(wish.out):
        warn_refused(wish, engine)
        job = to_job(wish, engine)
        with stop_on_signals() as stop, ExitStack() as stack:
            journal = stack.enter_context(Journal(wish.out)) if wish.out else None
            total = None if paths is None else len(paths)
            progress = stack.enter_context(Progress(total, wish.quiet))
            watch = Watch(wish.watch, wish.poll, stop, wish.out) if wish.watch else None
            found: Iterable[str | Pause] = watch.paths() if watch else paths or []
            left = leave_out_done(found, job, journal, progress, stop)
            retry = watch.retry if watch else None
            take = take_lines(journal, wish.formats)
            consume(predict_stream(left, job), take, progress, retry, stop)
            if journal and wish.out:
                write_summaries(wish.out, wish.formats, job, journal)
            progress.sum_up()
    return conclude(wish, progress, stop)


def warn_refused(wish: Wish, engine: LoadedEngine) -> None:
    """Say so where the stage export found that this file loses too much in this engine."""
    reason = read_refusals(wish.model.parent).get((wish.engine, engine.facts.precision))
    if reason:
        typer.echo(
            f"warning: the stage export does not offer {wish.model} for {wish.engine}: {reason}",
            err=True,
        )


def list_wished(wish: Wish) -> list[str] | None:
    """The pictures that were named, here or in a list on stdin; None: those that a watch finds.

    Raises:
        DataError: There is no picture, or no folder to watch.
    """
    if wish.watch is not None:
        if not wish.watch.is_dir():
            raise DataError(f"--watch: {wish.watch} is no folder; create it first")
        refuse_out_around(wish.out, [wish.watch])
        return None
    names: list[str] = []
    for name in wish.names:
        names += read_list(sys.stdin.buffer, wish.null) if name == STDIN else [name]
    if not names:
        raise DataError("the list on stdin is empty; expected one path a line")
    refuse_out_around(wish.out, [Path(name) for name in names if "\0" not in name])
    return list_pictures(names, wish.out)


def refuse_out_around(out: Path | None, named: Iterable[Path]) -> None:
    """Raises: DataError: What is written would lie among the pictures, and be taken for some."""
    for folder in named:
        if out and folder.is_dir() and folder.resolve().is_relative_to(out.resolve()):
            raise DataError(
                f"--out {printable(str(out))} holds the pictures of {printable(str(folder))}; "
                "name a new folder, inside of it or elsewhere"
            )


def to_job(wish: Wish, engine: LoadedEngine) -> Job:
    """How the pictures are predicted, with a digest of all that changes a result."""
    with wish.model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    kinds = [form for form in sorted(wish.formats) if form in PICTURE_FILES]
    told = {
        "model": digest,
        "point": engine.facts.point.model_dump(mode="json"),  # torch has it in a file of its own
        "engine": engine.name,
        "package": version("defectseg"),
        "mm_per_pixel": wish.mm_per_pixel,
        "files": kinds,
    }
    settings = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return Job(
        engine=engine,
        facts=engine.facts,
        model={"version": engine.facts.package_version, "sha256": digest},
        workers=wish.workers or min(MOST_WORKERS, count_threads() + 1),
        mm_per_pixel=wish.mm_per_pixel,
        folder=wish.out,
        files=tuple(PICTURE_FILES[kind] for kind in kinds),
        settings=settings if wish.out else None,
    )


def leave_out_done(
    paths: Iterable[str | Pause],
    job: Job,
    journal: Journal | None,
    progress: Progress,
    stop: Stop,
) -> Iterator[Picture | Pause]:
    """Name the pictures; those with a result of the same model and settings are skipped."""
    base = Path.cwd().resolve()
    for path in paths:
        if stop.asked:
            return
        if isinstance(path, Pause):
            yield path
            continue
        picture = name_picture(path, base)
        if journal is not None and is_done(picture, job, journal):
            progress.skip()
        else:
            yield picture


def is_done(picture: Picture, job: Job, journal: Journal) -> bool:
    """Whether the result of this file, made in this way, is there with all its files."""
    if job.folder is None or job.settings is None:
        return False
    try:
        facts = Path(picture.path).stat()
    except OSError:
        return False  # told when it is read
    known = fingerprint(job.settings, facts.st_size, facts.st_mtime_ns)
    return journal.is_done(picture.image_id, known) and all(
        file.place(job.folder, picture.image_id).is_file() for file in job.files
    )


def take_lines(journal: Journal | None, formats: tuple[str, ...]) -> Callable[[Outcome], None]:
    """Where each outcome goes at once: to the journal, or to stdout."""
    if journal is not None:
        return lambda outcome: journal.add(outcome.record, outcome.line)
    if "csv" not in formats:
        return lambda outcome: typer.echo(outcome.line)
    table = Table(sys.stdout)

    def add_rows(outcome: Outcome) -> None:
        table.add(outcome.record)
        sys.stdout.flush()

    return add_rows


def consume(
    outcomes: Generator[Outcome | Pause],
    take: Callable[[Outcome], None],
    progress: Progress,
    retry: Callable[[str], bool] | None,
    stop: Stop,
) -> None:
    """Take every outcome until an end is asked for."""
    with closing(outcomes):
        for outcome in outcomes:
            if isinstance(outcome, Pause):
                continue
            error = outcome.error
            may_mend = error is not None and error["code"] not in NEVER_RETRIED
            if retry and may_mend and retry(outcome.picture.path):
                continue  # it may still be on its way from the camera
            take(outcome)
            progress.add(outcome.record)
            if stop.asked:
                return


def write_summaries(folder: Path, formats: tuple[str, ...], job: Job, journal: Journal) -> None:
    """Write the files that are about all pictures, those of earlier runs too."""
    if "csv" in formats:
        with write_atomically(folder / TABLE) as file:
            table = Table(file)
            for record in journal.records():
                table.add(record)
    if "coco" in formats:
        write_coco(folder / COCO, job.facts.classes, journal.records())


def conclude(wish: Wish, progress: Progress, stop: Stop) -> int:
    """The exit status, and how to go on after an interruption."""
    if wish.watch is not None:
        return FINE
    if stop.asked and not progress.is_complete:
        again = "the same command again goes on from here" if wish.out else "nothing is kept"
        typer.echo(f"interrupted; {again}", err=True)
        return INTERRUPTED
    return FAILED if progress.counts["failed"] else FINE


@contextmanager
def explain_output(folder: Path | None) -> Iterator[None]:
    """Say what cannot be written; pictures that cannot be read never come here."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it at exit
        raise KeyboardInterrupt from None  # whoever read the results has had enough
    except OSError as error:
        where = "stdout" if folder is None else printable(str(folder))
        raise DataError(
            f"the results cannot be written to {where}: {error.strerror or error}; what was "
            "finished is kept: mend that and give the same command again, or name another --out"
        ) from error
