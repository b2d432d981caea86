"""progress: what came of the pictures, counted for a person."""

import pytest

from defectseg.commands.progress import Progress


def test_the_summary_counts_verdicts_and_failures(capsys: pytest.CaptureFixture[str]):
    with Progress(total=6, quiet=False) as progress:
        for verdict in ("accept", "accept", "review", "reject"):
            progress.add({"verdict": verdict, "path": "a.png"})
        progress.add({"path": "b.png", "error": {"code": "EMPTY_FILE", "message": "0 bytes"}})
        progress.skip()
        progress.sum_up()
    said = capsys.readouterr()
    assert said.out == ""
    failure, summary = said.err.splitlines()
    assert failure == "error: b.png: 0 bytes (EMPTY_FILE)"
    assert summary.startswith(
        "5 pictures (1 more were done before and are skipped): "
        "2 accepted, 1 for review, 1 rejected, 1 failed; "
    )
    assert progress.done == 5
    assert progress.is_complete


def test_quiet_keeps_the_errors_only(capsys: pytest.CaptureFixture[str]):
    with Progress(total=None, quiet=True) as progress:
        progress.add({"verdict": "accept", "path": "a.png"})
        assert not progress.is_complete
        progress.add({"path": "b.png", "error": {"code": "X", "message": "y"}})
        progress.sum_up()
    assert capsys.readouterr().err == "error: b.png: y (X)\n"


def test_one_picture_is_one_picture():
    with Progress(total=1, quiet=True) as progress:
        progress.add({"verdict": "accept", "path": "a.png"})
        assert progress.summary().startswith("1 picture: 1 accepted, ")
