"""`defectseg bench`: the models of a folder in, how fast and how good each engine runs them out."""

import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from tqdm import tqdm

from defectseg.commands.failing import explain_failure
from defectseg.commands.table import format_table, write_report
from defectseg.data.split import read_split
from defectseg.data.tile import read_tiles
from defectseg.errors import DataError, ModelFileError
from defectseg.inference.bench.contender import VARIANTS, Contender, find_contenders
from defectseg.inference.bench.measure import (
    Examination,
    Kind,
    Part,
    Size,
    Speed,
    count_chunks,
    count_turns,
    examine,
    measure_speed,
)
from defectseg.inference.bench.recommend import Advice, find_baseline, recommend
from defectseg.inference.open_engine import EngineName
from defectseg.inference.refusals import read_refusals
from defectseg.inference.threads import count_threads

TILES = Path("data/tiles")
SPLIT = Path("data/split.csv")
ALL = ",".join(get_args(EngineName))
LARGEST = 20_000  # pixels a side


def bench(
    model: Annotated[Path, typer.Option(help="The folder of the models.")] = Path("models"),
    engines: Annotated[str, typer.Option(help=f"Some of {ALL}.")] = ALL,
    threads: Annotated[
        str, typer.Option(help="Such as 1,2; 0 = all that the system gives. Default: 1 and all.")
    ] = "1,0",
    sizes: Annotated[str, typer.Option(help="Width x height, px.")] = "320x240,1280x960",
    pictures: Annotated[int, typer.Option(min=1, help="Of each contender and size.")] = 40,
    tiles: Annotated[
        int | None,
        typer.Option(min=0, help="Test pictures to measure Dice on; 0: none. Default: all."),
    ] = None,
    max_drop: Annotated[
        float, typer.Option(min=0, help="Dice that a recommended one may lose.")
    ] = 0.005,
    json: Annotated[Path | None, typer.Option("--json", help="Write it to this file.")] = None,
) -> None:
    """Measure every engine and precision on this machine, and recommend one."""
    with explain_failure():
        contenders = find_contenders(model, parse_engines(engines), parse_threads(threads))
        shapes = parse_sizes(sizes)
        found = _examine(contenders, tiles)
        if not found.runnable:
            raise ModelFileError("no engine can run here:\n  " + "\n  ".join(found.notes))
        speeds = _measure_speeds(found.runnable, shapes, pictures)
        advice = recommend(speeds, found.dice, max_drop, read_refusals(model / VARIANTS))
        rows = [describe_speed(speed, speeds, found.dice) for speed in speeds]
        machine = {"system": platform.platform(), "cores": count_threads()}
        content = {"machine": machine, "rows": rows, "notes": found.notes}
        write_report(json, content | {"recommended": describe_advice(advice)})
    for line in (*format_rows(rows), "", *(f"note: {each}" for each in found.notes)):
        typer.echo(line)
    typer.echo(f"recommended: {advice.contender.label}: {'; '.join(advice.reasons)}")


def parse_engines(text: str) -> list[EngineName]:
    """Raises: DataError: There is no such engine."""
    names = [name.strip() for name in text.split(",")]
    known = get_args(EngineName)
    wrong = [name for name in names if name not in known]
    if wrong:
        raise DataError(f"--engines: there is no engine {wrong[0]!r}; choose some of {ALL}")
    return [name for name in known if name in names]


def parse_threads(text: str) -> list[int]:
    """Raises: DataError: They are no numbers of threads."""
    if not re.fullmatch(r"\d{1,3}(,\d{1,3})*", text, re.ASCII):
        raise DataError(f"--threads: {text!r} is no list of numbers such as 1,2")
    return [int(number) or count_threads() for number in text.split(",")]


def parse_sizes(text: str) -> list[Size]:
    """Raises: DataError: They are no sizes."""
    found = [re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", part, re.ASCII) for part in text.split(",")]
    sizes = [(int(match[1]), int(match[2])) for match in found if match]
    if len(sizes) < len(found) or not all(1 <= side <= LARGEST for size in sizes for side in size):
        raise DataError(
            f"--sizes: {text!r} is no list of sizes such as 320x240,1280x960, "
            f"each side 1 to {LARGEST}"
        )
    return list(dict.fromkeys(sizes))


def _measure_speeds(
    contenders: Sequence[Contender], sizes: Sequence[Size], pictures: int
) -> list[Speed]:
    with _progress("speed", count_turns(len(contenders), len(sizes), pictures)) as step:
        return [
            speed for size in sizes for speed in measure_speed(contenders, size, pictures, step)
        ]


def _examine(contenders: Sequence[Contender], most: int | None) -> Examination:
    """Open and score everything once; without tiles there is no score, and a note says why."""
    test, note = None, None
    try:
        ids = [tile.id for tile in read_tiles(TILES).only(read_split(SPLIT).ids("test")).tiles]
        if most is not None and most < len(ids):
            note = (
                f"Dice of {most} of {len(ids)} test pictures only" if most else "no Dice asked for"
            )
            ids = [ids[index * len(ids) // most] for index in range(most)]
        test = Part(TILES, ids) if ids else None
    except DataError as error:
        note = f"no Dice: {error}"
    with _progress("Dice", count_chunks(contenders, test)) as step:
        found = examine(contenders, test, step)
    if note:
        found.notes.append(note)
    return found


@contextmanager
def _progress(what: str, steps: int) -> Iterator[Callable[[str], None]]:
    with tqdm(total=steps, desc=what, leave=False) as bar:

        def step(label: str) -> None:
            bar.set_postfix_str(label, refresh=False)
            bar.update()

        yield step


def describe_speed(
    speed: Speed, speeds: Sequence[Speed], dice: Mapping[Kind, float]
) -> dict[str, Any]:
    """One row, for a file."""
    contender = speed.contender
    baseline = find_baseline([each.contender for each in speeds])
    rates = {(each.contender, each.size): each.pictures_per_second for each in speeds}
    return {
        "engine": contender.engine,
        "precision": contender.precision,
        "threads": contender.threads,
        "width": speed.size[0],
        "height": speed.size[1],
        "pictures": len(speed.milliseconds),
        "p50_ms": round(speed.p50, 3),
        "p95_ms": round(speed.p95, 3),
        "pictures_per_second": round(speed.pictures_per_second, 2),
        "times_baseline": round(rates[contender, speed.size] / rates[baseline, speed.size], 3),
        "peak_mib": round(speed.peak_mib, 1),
        "dice": dice.get(contender.kind),
    }


def describe_advice(advice: Advice) -> dict[str, Any]:
    """What is recommended, for a file."""
    contender = advice.contender
    return {
        "engine": contender.engine,
        "precision": contender.precision,
        "threads": contender.threads,
        "file": contender.path.as_posix(),
        "times_baseline": round(advice.ratio, 3),
        "reasons": list(advice.reasons),
    }


def format_rows(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The table for a terminal."""
    header = ("engine", "precision", "threads", "size", "p50 ms", "p95 ms", "pictures/s")
    further = ("× baseline", "peak MiB", "Dice")
    return format_table(
        (*header, *further),
        [
            (
                row["engine"],
                row["precision"],
                str(row["threads"]),
                f"{row['width']}×{row['height']}",
                f"{row['p50_ms']:.1f}",
                f"{row['p95_ms']:.1f}",
                f"{row['pictures_per_second']:.1f}",
                f"{row['times_baseline']:.2f}",
                f"{row['peak_mib']:.0f}",
                "–" if row["dice"] is None else f"{row['dice']:.4f}",
            )
            for row in rows
        ],
    )
