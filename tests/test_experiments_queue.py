"""experiments: what git and DVC say of a group of experiments."""

import subprocess
from pathlib import Path

import pytest

from defectseg.errors import DataError, RevisionError
from defectseg.experiments.queue import (
    Experiment,
    Queue,
    ask,
    find_experiments,
    parse_queue,
    to_experiment,
)

BASELINE = "db22fd3cfa22f1021983f0d476873aa273687c74"
STATUS = """\
Task     Name    Created       Status
f5586b9  cv-0    11:16 AM      Success
27860ab  cv-1    11:16 AM      Running
27c0413  cv-2    Nov 20, 2026  Failed
a7c0413  cv-10   11:16 AM      Queued
b7c0413  other   11:16 AM      Queued

Worker status: 1 active, 2 idle
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with one commit, which is also where the tests run."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    commit("first")
    return tmp_path


def git(*arguments: str) -> str:
    author = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    done = subprocess.run(["git", *author, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(message: str) -> str:
    git("commit", "--quiet", "--allow-empty", "--message", message)
    return git("rev-parse", "HEAD")


def add_experiment(name: str, baseline: str = "HEAD") -> str:
    """Keep a commit where DVC keeps an experiment."""
    start = git("rev-parse", baseline)
    made = git("commit-tree", "-m", name, "-p", start, f"{start}^{{tree}}")
    git("update-ref", f"refs/exps/{start[:2]}/{start[2:]}/{name}", made)
    return start


def test_the_queue_tells_the_status_of_each_experiment_and_the_workers():
    queue = parse_queue(STATUS)
    assert queue.tasks == (
        ("cv-0", "Success"),
        ("cv-1", "Running"),
        ("cv-2", "Failed"),
        ("cv-10", "Queued"),
        ("other", "Queued"),
    )
    assert (queue.workers, queue.active) == (3, 1)


def test_an_empty_queue_has_no_tasks():
    text = "No experiment tasks in the queue.\n\nWorker status: 0 active, 0 idle\n"
    assert parse_queue(text) == Queue((), 0)


@pytest.mark.parametrize(
    ("statuses", "workers", "active", "is_stuck"),
    [
        (["Success", "Failed"], 0, 0, False),
        (["Running", "Queued"], 1, 1, False),
        (["Running", "Queued"], 0, 0, True),  # the worker was killed
        (["Running", "Running"], 1, 1, True),  # one of two was killed
        (["Queued"], 0, 0, True),  # none was started
        (["Queued"], 1, 0, False),  # one begins
    ],
)
def test_a_queue_for_which_nobody_works_is_stuck(
    statuses: list[str], workers: int, active: int, is_stuck: bool
):
    tasks = tuple((f"cv-{number}", status) for number, status in enumerate(statuses))
    queue = Queue(tasks, workers, active)
    assert queue.is_stuck is is_stuck
    assert queue.is_waiting is (statuses[0] in {"Running", "Queued"})


def test_something_else_is_no_queue():
    with pytest.raises(DataError, match="says nothing of workers, but: 'hello'"):
        parse_queue("hello")


def test_of_the_queue_only_our_own_experiments_count():
    queue = parse_queue(STATUS)
    assert queue.named(["cv-10", "cv-1", "cv-0"], ["Queued", "Running"]) == ("cv-1", "cv-10")


def test_an_experiment_is_known_by_its_ref():
    ref = f"refs/exps/{BASELINE[:2]}/{BASELINE[2:]}/cv-1"
    assert to_experiment(ref) == Experiment("cv-1", BASELINE, ref)


@pytest.mark.parametrize("ref", ["refs/exps/celery/failed", "refs/exps/stash", "refs/heads/cv-1"])
def test_what_dvc_keeps_for_itself_is_no_experiment(ref: str):
    assert to_experiment(ref) is None


def test_experiments_are_found_by_their_number(repository: Path):
    for name in ("cv-10", "cv-2", "cv-x", "cv-3-old", "xcv-1", "cv2-4"):
        add_experiment(name)
    assert {number: one.name for number, one in find_experiments("cv").items()} == {
        2: "cv-2",
        10: "cv-10",
    }
    assert list(find_experiments("cv")) == [2, 10]


def test_the_experiments_of_the_commit_that_is_checked_out_come_first(repository: Path):
    first = add_experiment("cv-0")
    commit("second")
    add_experiment("cv-1")
    assert list(find_experiments("cv")) == [1]
    git("checkout", "--quiet", first)
    assert list(find_experiments("cv")) == [0]


def test_else_those_of_the_baseline_that_ran_last(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    for number, date in enumerate(("2020-01-03", "2020-01-02")):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{date}T00:00:00Z")
        commit(f"baseline {number}")
        add_experiment(f"cv-{number}")
    commit("now")
    assert list(find_experiments("cv")) == [0]


def test_without_experiments_none_is_found(repository: Path):
    assert find_experiments("cv") == {}


@pytest.mark.parametrize("prefix", ["", "-x", "a b", "../x", "a.b", "a*"])
def test_what_can_be_no_name_is_refused(prefix: str):
    with pytest.raises(DataError, match="is no prefix; use letters"):
        find_experiments(prefix)


def test_an_experiment_gives_the_files_that_git_tracks(repository: Path):
    (repository / "params.yaml").write_text("a: 1\n")
    git("add", "params.yaml")
    commit("with params")
    add_experiment("cv-0")
    experiment = find_experiments("cv")[0]
    assert experiment.read("params.yaml") == "a: 1\n"
    with pytest.raises(RevisionError, match=r"`git show .*:none` failed: .*none"):
        experiment.read("none")


def test_outside_of_git_the_message_is_that_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RevisionError, match=r"failed: .*not a git repository"):
        find_experiments("cv")


def test_a_command_that_does_not_exist_is_named():
    with pytest.raises(RevisionError, match=r"`defectseg-none x` cannot be run: .*No such file"):
        ask("defectseg-none", "x")
