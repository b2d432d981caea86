"""experiments/results: what each experiment says of itself, and their order."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from defectseg.errors import DataError
from defectseg.experiments.folds import parse_fold
from defectseg.experiments.results import Interval, Result, read_result, sort_results
from defectseg.revisions.revision import Revision

SCORES = {
    "pictures": 8,
    "surfaces": 4,
    "iou_macro": 0.5,
    "escape_rate": None,
    "gates": [{"metric": "iou_macro", "limit": 0.4}],
    "interval": {
        "iou_macro": {"low": 0.4, "high": 0.6},
        "escape_rate": {"low": None, "high": None},
    },
}


def revision(root: Path, scores: Any = SCORES, params: str = "train: {epochs: 2}\n") -> Revision:
    """A commit with scores and params."""
    (root / "metrics").mkdir(exist_ok=True)
    text = scores if isinstance(scores, str) else json.dumps(scores)
    (root / "metrics/evaluate.json").write_text(text)
    (root / "params.yaml").write_text(params)
    for command in (
        ("init", "--quiet"),
        ("add", "--all"),
        ("-c", "user.name=T", "-c", "user.email=t@e.com", "commit", "--quiet", "-m", "x"),
    ):
        subprocess.run(["git", *command], cwd=root, check=True)
    return Revision("x", "HEAD", root)


def result(name: str, **scores: float | None) -> Result:
    return Result(Revision(name, "0" * 40, Path()), scores, {}, {})


def test_a_result_is_scores_intervals_and_params_without_counts(tmp_path: Path):
    found = read_result(revision(tmp_path))
    assert found.scores == {"iou_macro": 0.5, "escape_rate": None}
    assert found.intervals["iou_macro"] == Interval(low=0.4, high=0.6)
    assert found.intervals["escape_rate"] == Interval(low=None, high=None)
    assert found.params == {"train.epochs": 2}


def test_gates_are_no_scores_of_a_fold():
    params = "data_split: {folds: 5, fold: 1}"
    assert parse_fold("cv-1", 1, json.dumps(SCORES), params).scores == {
        "iou_macro": 0.5,
        "escape_rate": None,
    }


def test_without_scores_the_message_says_what_to_do(tmp_path: Path):
    made = revision(tmp_path)
    (tmp_path / "metrics/evaluate.json").unlink()
    with pytest.raises(DataError, match=r"x has no metrics/evaluate\.json; `dvc repro` and"):
        read_result(Revision("x", None, tmp_path))
    assert read_result(made).scores


@pytest.mark.parametrize(
    "scores", ["{", "[]", "1", '{"a": NaN}', '{"a": "0.5"}', '{"a": true}', '{"interval": 1}']
)
def test_damaged_scores_are_refused(tmp_path: Path, scores: str):
    with pytest.raises(DataError, match="x has damaged scores or params: "):
        read_result(revision(tmp_path, scores))


@pytest.mark.parametrize("params", ["a: [", "", "[]"])
def test_damaged_params_are_refused(tmp_path: Path, params: str):
    with pytest.raises(DataError, match="x has damaged scores or params: "):
        read_result(revision(tmp_path, params=params))


def test_only_params_that_differ_are_told():
    base = Result(Revision("b", None, Path()), {}, {}, {"a": 1, "b": None, "d": 4})
    other = Result(Revision("o", None, Path()), {}, {}, {"a": 2, "b": None, "c": None})
    assert other.changed_params(base) == {"a": 2, "c": None}
    assert base.changed_params(base) == {}


def test_the_best_comes_first_and_the_undefined_last():
    results = [result("a", iou=0.2), result("b", iou=None), result("c", iou=0.4), result("d")]
    assert [one.name for one in sort_results(results, "iou")] == ["c", "a", "b", "d"]


def test_the_lowest_rate_is_the_best():
    results = [
        result("a", escape_rate_crack=0.2),
        result("b", escape_rate_crack=None),
        result("c", escape_rate_crack=0.1),
    ]
    assert [one.name for one in sort_results(results, "escape_rate_crack")] == ["c", "a", "b"]


def test_a_score_that_nobody_has_is_refused_with_those_that_there_are():
    with pytest.raises(DataError, match="no experiment has the score 'iuo'; there are iou, dice"):
        sort_results([result("a", iou=0.2, dice=0.1)], "iuo")
