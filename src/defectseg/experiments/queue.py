"""DVC's experiments in: the files that they hold in git, and what became of those in the queue.

An experiment that succeeded is a commit at refs/exps/<two digits>/<rest of the baseline>/<name>.
One that failed has none: `dvc exp show` lists it with the scores of its baseline, which are not its
own (seen on dvc 3.67.1), so files are read from git.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from defectseg.errors import DataError
from defectseg.revisions.process import ask

NAME = re.compile(r"[A-Za-z0-9][\w-]*")  # of a group of experiments: part of a name in git
REF = re.compile(r"refs/exps/(?P<head>[0-9a-f]{2})/(?P<rest>[0-9a-f]{38})/(?P<name>[^/\s]+)")
WAITING = frozenset({"Queued", "Running"})
TASK = re.compile(r"^[0-9a-f]{7}\s+(?P<name>\S+)\s.*\s(?P<status>\w+)$", re.MULTILINE)
WORKERS = re.compile(r"^Worker status: (\d+) active, (\d+) idle$", re.MULTILINE)


@dataclass(frozen=True)
class Experiment:
    """An experiment that succeeded."""

    name: str
    baseline: str  # the commit that it started from
    ref: str

    def read(self, path: str) -> str:
        """A text file as the experiment left it, if git tracks it.

        Raises:
            RevisionError: It has no such file.
        """
        return ask("git", "show", f"{self.ref}:{path}")


@dataclass(frozen=True)
class Queue:
    """What `dvc queue status` says."""

    tasks: tuple[tuple[str, str], ...]  # name, status: Queued, Running, Success or Failed
    workers: int
    active: int = 0  # workers that run a task

    @property
    def is_waiting(self) -> bool:
        """Some experiment has not come to its end."""
        return any(status in WAITING for _, status in self.tasks)

    @property
    def is_stuck(self) -> bool:
        """Nobody works for some experiment: a worker was never started, or was killed.

        DVC goes on to call an experiment Running whose worker was killed (seen on dvc 3.67.1).
        """
        running = sum(status == "Running" for _, status in self.tasks)
        return self.active < running or (self.is_waiting and not self.workers)

    def named(self, names: Iterable[str], statuses: Iterable[str]) -> tuple[str, ...]:
        """Those of some experiments that have one of the statuses, sorted."""
        wanted, among = set(names), set(statuses)
        return tuple(sorted({n for n, status in self.tasks if n in wanted and status in among}))


def find_experiments(prefix: str) -> dict[int, Experiment]:
    """The experiments `<prefix>-<number>` of one baseline, by their numbers.

    The baseline is the commit that is checked out, or if that has none, the one that has the
    experiment that was made last.

    Raises:
        DataError: The prefix can be no name.
        RevisionError: git cannot be asked.
    """
    if not NAME.fullmatch(prefix):
        raise DataError(f"{prefix!r} is no prefix; use letters, digits, _ and -, such as cv")
    numbered = {
        one: int(number[1])
        for one in list_experiments()
        if (number := re.fullmatch(rf"{re.escape(prefix)}-(\d{{1,4}})", one.name))
    }
    ours = {numbered[one]: one for one in of_one_baseline(list(numbered))}
    return dict(sorted(ours.items()))


def list_experiments() -> list[Experiment]:
    """Every experiment that succeeded, the last made last.

    Raises:
        RevisionError: git cannot be asked.
    """
    lines = ask("git", "for-each-ref", "--sort=committerdate", "--format=%(refname)", "refs/exps")
    return [one for line in lines.splitlines() if (one := to_experiment(line))]


def of_one_baseline(found: Sequence[Experiment]) -> list[Experiment]:
    """Those of the commit that is checked out, or if it has none, of the last one's baseline."""
    here = ask("git", "rev-parse", "--verify", "HEAD").strip()
    baselines = [one.baseline for one in found]
    chosen = here if here in baselines or not baselines else baselines[-1]
    return [one for one in found if one.baseline == chosen]


def to_experiment(ref: str) -> Experiment | None:
    """The experiment at a ref; None for what DVC keeps there for itself."""
    match = REF.fullmatch(ref)
    return match and Experiment(match["name"], match["head"] + match["rest"], ref)


def read_queue() -> Queue:
    """Ask DVC for its queue.

    Raises:
        RevisionError: DVC cannot be asked.
    """
    return parse_queue(ask("dvc", "queue", "status"))


def parse_queue(text: str) -> Queue:
    """Read what `dvc queue status` writes.

    Raises:
        DataError: It is not what dvc 3.67.1 writes.
    """
    workers = WORKERS.search(text)
    if workers is None:
        raise DataError(f"`dvc queue status` says nothing of workers, but: {text[:200]!r}")
    tasks = tuple((match["name"], match["status"]) for match in TASK.finditer(text))
    return Queue(tasks, int(workers[1]) + int(workers[2]), int(workers[1]))
