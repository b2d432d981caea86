"""experiments/traps: what is said before and after experiments are queued."""

import subprocess
from pathlib import Path

import pytest

from defectseg.experiments.queue import Queue
from defectseg.experiments.traps import describe_trouble, find_traps

EMPTY = Queue((), 0)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with params and a module, which is also where the tests run."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    Path("src").mkdir()
    Path("src/code.py").write_text("a = 1\n")
    Path(".gitignore").write_text("/data/\n*.pyc\n")
    write_source("synthetic")
    commit()
    return tmp_path


def git(*arguments: str) -> str:
    author = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    done = subprocess.run(["git", *author, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit() -> str:
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message", "x")
    return git("rev-parse", "HEAD")


def write_source(source: object) -> None:
    Path("params.yaml").write_text(f"data_load:\n  source: {source}\n")


def add_experiment(name: str) -> None:
    start = git("rev-parse", "HEAD")
    git("update-ref", f"refs/exps/{start[:2]}/{start[2:]}/{name}", start)


def refusals(queue: Queue = EMPTY) -> tuple[str, ...]:
    return find_traps("sweep", queue).refusals


def test_a_clean_workspace_has_no_traps(repository: Path):
    Path("note.txt").touch()  # no input
    Path("src/code.pyc").touch()
    traps = find_traps("sweep", EMPTY)
    assert (traps.refusals, traps.remarks) == ((), ())


@pytest.mark.parametrize("name", ["src/new.py", "pyproject.toml"])
def test_a_file_that_would_not_travel_is_refused(repository: Path, name: str):
    Path(name).touch()
    (said,) = refusals()
    assert said.startswith(f"neither git nor DVC tracks {name}: they would not travel to the copy")
    git("add", name)
    assert refusals() == ()


def test_many_files_that_would_not_travel_are_counted(repository: Path):
    for number in range(10, 35):
        Path(f"src/{number}.py").touch()
    assert "src/29.py and 5 more: they would" in refusals()[0]


@pytest.mark.parametrize(
    ("source", "is_lost"),
    [
        ("pictures", True),
        ("../pictures", True),
        ("data/pictures", True),  # git ignores it
        ("src", False),
        ("/somewhere/pictures", False),
        ("https://example.com/x.zip", False),
        ("s3://bucket/x", False),
        ("[1]", False),
    ],
)
def test_pictures_at_a_relative_path_would_not_be_found(
    repository: Path, source: str, is_lost: bool
):
    Path("pictures").mkdir()
    write_source(source)
    commit()
    said = refusals()
    assert bool(said) is is_lost
    if is_lost:
        assert said[0].startswith(f"data_load.source is '{source}', a relative path that git does")


def test_params_that_cannot_be_read_are_not_our_matter(repository: Path):
    Path("params.yaml").write_text("a: [")
    commit()
    assert refusals() == ()


def test_names_that_exist_are_refused_with_the_commands_that_remove_them(repository: Path):
    for name in ("sweep-2", "sweep-x", "sweeps-1", "sweep", "other-1"):
        add_experiment(name)
    tasks = (("sweep-3", "Failed"), ("sweep-2", "Success"), ("sweep-9", "Success"), ("b", "Queued"))
    assert refusals(Queue(tasks, 0)) == (
        "sweep-2, sweep-3 exist already: choose another NAME, or "
        "`dvc exp remove sweep-2 && dvc queue remove sweep-3`",
    )


def test_local_changes_are_said_as_they_travel(repository: Path):
    Path("src/code.py").write_text("a = 2\n")
    traps = find_traps("sweep", EMPTY)
    assert traps.refusals == ()
    assert traps.remarks == (
        "the experiments will have your changes that are not committed: src/code.py",
    )


def test_failed_experiments_are_named_with_their_logs():
    tasks = (("s-1", "Failed"), ("s-2", "Success"), ("s-3", "Failed"))
    assert describe_trouble(Queue(tasks, 0)) == [
        "failed, and in no list of results: s-1, s-3. Why: `dvc queue logs s-1`, `dvc queue logs "
        "s-3`; to forget them: `dvc queue remove --failed`"
    ]


def test_a_killed_worker_is_noticed():
    (said,) = describe_trouble(Queue((("s-1", "Running"), ("s-2", "Running")), 1, 1))
    assert said.startswith("s-1, s-2 count as running, but 1 of 2 workers are alive")
    assert "`dvc queue kill s-1 s-2` notes them as failed" in said


def test_a_queue_without_a_worker_is_noticed():
    tasks = (("s-1", "Queued"),)
    assert describe_trouble(Queue(tasks, 0)) == ["s-1 wait, but no worker runs: `dvc queue start`"]
    assert describe_trouble(Queue(tasks, 1)) == []
    assert describe_trouble(Queue((("s-1", "Running"),), 1, 1)) == []
