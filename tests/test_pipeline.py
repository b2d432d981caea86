"""The whole pipeline, by real `dvc repro` in a clone of this repository with tiny params."""

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conftest import write_class_folders
from ran_project import STAGES, Clone, copy_project, stages_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def files_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def own(ran_project: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy for the tests of this file."""
    return copy_project(ran_project, tmp_path_factory.mktemp("clone"))


@pytest.fixture
def clone(own: Clone) -> Iterator[Clone]:
    """The project, as it was after its first run; what a test changes is taken back."""
    yield own
    own.out_of("git", "reset", "--quiet", "--hard")
    own.out_of("dvc", "checkout", "--force", "--quiet")


def test_every_stage_writes_what_it_promises(clone: Clone):
    pipeline = yaml.safe_load((clone.folder / "dvc.yaml").read_text(encoding="utf-8"))
    outs = [out for stage in pipeline["stages"].values() for out in stage["outs"]]
    paths = [next(iter(out)) if isinstance(out, dict) else out for out in outs]
    assert [path for path in paths if not (clone.folder / path).exists()] == []
    assert clone.json_of("metrics/data_split.json")["leaked_surfaces"] == 0
    compared = clone.json_of("metrics/export.json")["comparisons"]["fp32"]["onnxruntime"]
    assert compared["max_abs_probability_difference"] <= 1e-4
    assert 0 <= clone.json_of("metrics/evaluate.json")["dice_pooled"] <= 1


def test_a_second_run_runs_nothing_but_the_check_of_packages(clone: Clone):
    assert list(json.loads(clone.out_of("dvc", "status", "--json"))) == ["check_packages"]
    assert clone.repro() == ["check_packages"]
    assert clone.out_of("git", "status", "--porcelain") == ""


def test_a_param_of_evaluate_reruns_evaluate_alone(clone: Clone):
    clone.change(evaluate={"bootstrap": 120})
    assert clone.repro() == ["check_packages", "evaluate"]
    assert changed(clone) - {"metrics/evaluate.json"} == {"dvc.lock", "params.yaml"}


def test_another_rule_needs_no_new_training(clone: Clone):
    rule = {"max_escape_rate": 0.5, "max_false_alarm_rate": None, "costs": None, "review": 0.0}
    clone.change(evaluate={"operating_point": rule})
    assert clone.repro() == ["check_packages", "evaluate", "export"]
    point = clone.json_of("models/operating_point.json")
    assert point["rule"] == "at most 50 % escapes"
    read = (
        "import json, onnxruntime as o; s = o.InferenceSession('models/unet.onnx');"
        "print(s.get_modelmeta().custom_metadata_map['operating_point'])"
    )
    assert json.loads(clone.out_of(sys.executable, "-c", read)) == point


def test_a_failed_gate_stops_the_export_and_leaves_the_earlier_model(clone: Clone):
    before = files_in(clone.folder / "models")
    clone.change(evaluate={"gates": {"iou_macro": 0.999}})
    done = clone.run("dvc", "repro")
    assert done.returncode != 0
    assert stages_run(done.stdout) == ["check_packages", "evaluate", "export"]
    assert "export: error:" in done.stderr
    assert "iou_macro" in done.stderr
    assert "metrics/report/index.html" in done.stderr
    assert files_in(clone.folder / "models") == before
    assert "0.999" in (clone.folder / "metrics/report/index.html").read_text(encoding="utf-8")


def test_the_exported_model_predicts_by_the_command_line(clone: Clone):
    done = clone.out_of("defectseg", "predict", "data/tiles/images", "--engine", "onnxruntime")
    lines = [json.loads(line) for line in done.splitlines()]
    assert len(lines) == 20
    assert {line["verdict"] for line in lines} <= {"accept", "review", "reject"}
    assert all(bool(line["defects"]) == (line["verdict"] != "accept") for line in lines)


def changed(clone: Clone) -> set[str]:
    return {line[3:] for line in clone.out_of("git", "status", "--porcelain").splitlines()}


def test_an_edited_module_reruns_what_reaches_it_with_the_code_of_the_clone(clone: Clone):
    before = clone.json_of("metrics/evaluate.json")["pictures"]
    module = clone.folder / "src/defectseg/evaluation/metrics.py"
    text = module.read_text(encoding="utf-8")
    edited = text.replace('"pictures": len(pictures)', '"pictures": 1000 + len(pictures)')
    assert edited != text
    module.write_text(edited, encoding="utf-8")
    assert clone.repro() == ["check_packages", "evaluate"]
    assert clone.json_of("metrics/evaluate.json")["pictures"] == 1000 + before


def test_a_broken_picture_fails_the_load_and_leaves_the_earlier_tiles(clone: Clone, tmp_path: Path):
    tiles = files_in(clone.folder / "data/tiles")
    report = clone.json_of("metrics/data_load.json")
    source = write_class_folders(tmp_path / "mine", {"MT_Free": ["f"], "MT_Crack": ["a", "b"]})
    broken = source / "MT_Crack/Imgs/b.jpg"
    broken.write_bytes(broken.read_bytes()[:-80])
    clone.change(data_load={"source": str(source)})
    done = clone.run("dvc", "repro")
    assert done.returncode != 0
    assert "data_load: error: unreadable pictures or masks (1):" in done.stderr
    assert "MT_Crack/Imgs/b.jpg" in done.stderr
    assert stages_run(done.stdout) == ["check_packages", "data_load"]
    assert files_in(clone.folder / "data/tiles") == tiles
    assert clone.json_of("metrics/data_load.json") == report


def test_an_experiment_is_run_compared_and_taken_back_without_training_again(clone: Clone):
    weights = (clone.folder / "models/unet.safetensors").read_bytes()
    graph = (clone.folder / "models/unet.onnx").read_bytes()
    run = ("dvc", "exp", "run", "--name", "faster", "-S", "train.learning_rate=0.02")
    assert stages_run(clone.out_of(*run)) == ["check_packages", "train", "evaluate", "export"]
    assert (clone.folder / "models/unet.safetensors").read_bytes() != weights

    table = list(csv.DictReader(io.StringIO(clone.out_of("dvc", "exp", "show", "--csv"))))
    rates = {row["Experiment"]: row["train.learning_rate"] for row in table}
    assert float(rates["faster"]) == 0.02
    difference = "comparisons.fp32.onnxruntime.max_abs_probability_difference"
    assert {"dice_pooled", difference} <= table[0].keys()

    params = json.loads(clone.out_of("dvc", "params", "diff", "--json"))
    assert params["params.yaml"]["train.learning_rate"]["new"] == 0.02
    assert len(params["params.yaml"]) == 1
    metrics = json.loads(clone.out_of("dvc", "metrics", "diff", "--json"))
    assert "metrics/train/metrics.json" in metrics
    assert metrics["metrics/train/metrics.json"]["train_loss"]["diff"] != 0

    clone.out_of("git", "restore", "params.yaml")
    again = clone.out_of("dvc", "repro")
    assert "Stage 'train' is cached - skipping run" in again
    # DVC knows the run of evaluate if a test before this one has made it look into its cache.
    assert set(stages_run(again)) - {"evaluate"} == {"check_packages", "export"}
    assert (clone.folder / "models/unet.safetensors").read_bytes() == weights
    assert (clone.folder / "models/unet.onnx").read_bytes() == graph
    assert changed(clone) == set(), clone.out_of("git", "diff")


def test_the_plots_are_drawn_and_the_graph_is_shown(clone: Clone, tmp_path: Path):
    clone.out_of("dvc", "plots", "show", "--out", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text(encoding="utf-8")
    drawn = ("plots_confusion_csv", "plots_precision_recall_csv", "plots_iou_csv", "train_loss")
    assert [
        name for name in (*drawn, "gallery_png", "train_plots_images") if name not in page
    ] == []
    graph = clone.out_of("dvc", "dag")
    assert all(stage in graph for stage in STAGES)
