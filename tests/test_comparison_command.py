"""`defectseg compare` in a project that has run, by real git and real DVC."""

import re
import sys
from pathlib import Path

import pytest

from ran_project import Clone, copy_project

COMMAND = (
    sys.executable,
    "-c",
    "import typer; from defectseg.commands.compare import compare; typer.run(compare)",
)
GATES = {"iou_pooled": 0.9, "image_auroc": 0.1}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_a_revision_against_itself_cannot_be_told_and_passes(ran_project: Clone, tmp_path: Path):
    clone = copy_project(ran_project, tmp_path / "clone")
    done = clone.run(*COMMAND, "HEAD", "--json", "out/compare.json")
    assert done.returncode == 0, done.stderr
    content = clone.json_of("out/compare.json")
    assert {row["verdict"] for row in content["metrics"]} == {"can't tell"}
    assert {row["reason"] for row in content["metrics"] if row["metric"].startswith("dice")} == {
        "no difference"
    }
    assert content["params"] == [] and content["code"] == {} and content["changed_pictures"] == []
    assert "no gated metric is worse (workspace against HEAD" in done.stdout


def test_a_base_without_metrics_is_no_baseline_and_passes(ran_project: Clone, tmp_path: Path):
    clone = copy_project(ran_project, tmp_path / "clone")
    done = clone.run(*COMMAND, "HEAD~1", "HEAD", "--html", "page.html", "--markdown", "page.md")
    assert done.returncode == 0, done.stderr
    assert "no baseline: HEAD~1 has no metrics to hold HEAD against" in done.stdout
    assert "No baseline" in (clone.folder / "page.html").read_text("utf-8")
    assert "No baseline" in (clone.folder / "page.md").read_text("utf-8").splitlines()[0]


def test_what_cannot_be_compared_ends_with_status_2(ran_project: Clone, tmp_path: Path):
    clone = copy_project(ran_project, tmp_path / "clone")
    done = clone.run(*COMMAND, "nowhere")
    assert done.returncode == 2
    assert "error: there is no revision 'nowhere' here" in done.stderr
    clone.out_of("dvc", "cache", "dir", "--local", str(tmp_path / "empty"))
    done = clone.run(*COMMAND, "HEAD")
    assert done.returncode == 2
    assert re.search(r"error: metrics/per_image\.csv at HEAD cannot be had: ", done.stderr)
    assert "dvc push" in done.stderr


def test_a_model_that_rejects_everything_is_compared_though_its_export_failed(
    ran_project: Clone, tmp_path: Path
):
    clone = copy_project(ran_project, tmp_path / "clone")
    rule = {"max_false_alarm_rate": None, "max_escape_rate": 0.0, "costs": None, "review": 0.1}
    longer = {"learning_rate": 0.02, "epochs": 12, "pictures_per_epoch": 48}
    clone.change(train=longer, evaluate={"gates": GATES, "operating_point": rule})
    assert clone.run("dvc", "repro").returncode != 0  # the gate stops the export
    files = ("--markdown", "c.md", "--html", "c.html", "--json", "c.json")
    done = clone.run(*COMMAND, "HEAD", *files)
    assert done.returncode in (0, 1), done.stderr
    content = clone.json_of("c.json")
    by_name = {row["metric"]: row for row in content["metrics"]}
    base, head = by_name["iou_pooled"]["base"], by_name["iou_pooled"]["head"]
    assert base == pytest.approx(clone_metric(ran_project, "iou_pooled"), abs=1e-6)
    assert head == pytest.approx(clone_metric(clone, "iou_pooled"), abs=1e-6)
    assert done.returncode == (1 if content["worse_gates"] else 0)
    changed = {key: (before, after) for key, before, after in content["params"]}
    assert changed["train.learning_rate"][1] == "0.02"
    assert changed["evaluate.gates.iou_pooled"] == ("–", "0.9")
    assert len(content["notes"]) == 1 and content["code"] == {}
    assert content["notes"][0].startswith("With fewer than 6 surfaces")
    assert any("iou_pooled is" in line for line in content["failed_gates"])
    page = (clone.folder / "c.html").read_text("utf-8")
    assert "cannot be had" not in page and "cannot be drawn" not in page
    assert (
        page.count('<svg viewBox="0 0 440 330"') >= 2
    )  # without a clean picture there are no false alarms
    shown = len(content["changed_pictures"])
    assert shown > 0
    assert page.count("data:image/jpeg;base64,") == 4 * shown
    assert (clone.folder / "c.md").read_text("utf-8").startswith("**")


def clone_metric(clone: Clone, name: str) -> float:
    return float(clone.json_of("metrics/evaluate.json")[name])
