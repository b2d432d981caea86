"""verification/record: what verify found of a commit, kept as a note in git."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defectseg.errors import RevisionError
from defectseg.verification.record import (
    MOST,
    NOTES,
    Outcome,
    VerifyRecord,
    read_record,
    read_records,
    write_record,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A git repository with two commits."""
    return make_repository(tmp_path / "root")


def make_repository(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "Tester")
    git(folder, "config", "user.email", "tester@example.com")
    for message in ("first", "second"):
        git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def record(root: Path, outcome: Outcome = "bit-equal", minutes: int = 0) -> VerifyRecord:
    return VerifyRecord(
        when=NOON + timedelta(minutes=minutes),
        outcome=outcome,
        commit=git(root, "rev-parse", "HEAD"),
        epsilon=1e-6,
        seconds=12.5,
        hardware={"cpu": "abc", "cores": 2},
        packages="0" * 64,
    )


def test_a_commit_that_was_never_verified_has_no_record(root: Path):
    assert read_record("HEAD", root) is None
    write_record(record(root), root)
    assert read_record("HEAD~1", root) is None


def test_a_record_is_read_as_it_was_written(root: Path):
    written = record(root, "within")
    write_record(written, root)
    assert read_record("HEAD", root) == written
    assert read_record(written.commit, root) == written
    assert git(root, "notes", f"--ref={NOTES}", "list").split()[1] == written.commit


def test_the_last_record_counts_and_the_earlier_ones_stay(root: Path):
    for outcome, minutes in (("bit-equal", 1), ("different", 3), ("within", 2)):
        write_record(record(root, outcome, minutes), root)
    last = read_record("HEAD", root)
    assert last is not None
    assert last.outcome == "different"
    assert [one.outcome for one in read_records("HEAD", root)] == [
        "bit-equal",
        "within",
        "different",
    ]


def test_only_the_last_runs_are_kept(root: Path):
    for minutes in range(MOST + 2):
        write_record(record(root, minutes=minutes), root)
    kept = read_records("HEAD", root)
    assert len(kept) == MOST
    assert kept[0].when == NOON + timedelta(minutes=2)


def test_the_same_numbers_are_good_and_other_ones_are_not(root: Path):
    assert record(root, "bit-equal").is_good
    assert record(root, "within").is_good
    assert not record(root, "different").is_good


def test_records_travel_and_those_of_two_machines_are_merged_by_git(root: Path, tmp_path: Path):
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(root), str(other))
    git(other, "config", "user.name", "Other")
    git(other, "config", "user.email", "other@example.com")
    write_record(record(root, "bit-equal", 1), root)
    write_record(record(other, "different", 2), other)
    git(other, "fetch", "--quiet", "origin", f"refs/notes/{NOTES}:refs/notes/theirs")
    git(other, "notes", f"--ref={NOTES}", "merge", "-s", "cat_sort_uniq", "refs/notes/theirs")
    assert [one.outcome for one in read_records("HEAD", other)] == ["bit-equal", "different"]
    git(other, "push", "--quiet", "origin", f"refs/notes/{NOTES}")
    last = read_record("HEAD", root)
    assert last is not None
    assert last.outcome == "different"


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "{}",
        '{"when": "2026-01-02T12:00:00", "outcome": "bit-equal"}',
        "[" * 5000,
    ],
)
def test_a_damaged_note_is_refused_with_advice(root: Path, text: str):
    git(root, "notes", f"--ref={NOTES}", "add", "-m", text)
    with pytest.raises(
        RevisionError, match=r"is damaged: 1|is damaged: \d+ faults; take it off by"
    ):
        read_record("HEAD", root)


@pytest.mark.parametrize(
    "change",
    [{"outcome": "good"}, {"epsilon": -1}, {"seconds": -1}, {"when": "2026-01-02T12:00:00"}],
)
def test_a_record_that_says_something_else_is_damaged(root: Path, change: dict[str, object]):
    text = VerifyRecord.model_construct(**(record(root).model_dump() | change)).model_dump_json(
        warnings=False
    )
    git(root, "notes", f"--ref={NOTES}", "add", "-m", text)
    with pytest.raises(RevisionError, match="is damaged"):
        read_record("HEAD", root)


def test_the_note_of_another_commit_is_refused(root: Path):
    write_record(record(root), root)
    git(root, "notes", f"--ref={NOTES}", "copy", "HEAD", "HEAD~1")
    with pytest.raises(RevisionError, match="is one of another commit"):
        read_record("HEAD~1", root)


def test_a_commit_that_does_not_exist_is_refused(root: Path):
    with pytest.raises(RevisionError, match=r"`git rev-parse .*none.* failed"):
        read_record("none", root)


def test_without_a_name_in_git_the_record_is_not_written(
    root: Path, monkeypatch: pytest.MonkeyPatch
):
    one = record(root)
    git(root, "config", "user.useConfigOnly", "true")
    git(root, "config", "--unset", "user.email")
    monkeypatch.setenv("HOME", str(root))
    with pytest.raises(RevisionError, match=r"`git notes .*failed"):
        write_record(one, root)
