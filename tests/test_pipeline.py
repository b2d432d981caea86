"""The whole pipeline, by real `dvc repro` in a clone of this repository with tiny params."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import write_class_folders

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[1]
STAGES = ["check_packages", "data_load", "data_split", "train", "evaluate", "export"]
TINY: dict[str, dict[str, Any]] = {
    "compute": {"device": "cpu"},
    "data_load": {
        "synthetic": {
            "seed": 7,
            "pictures": 20,
            "clean_fraction": 0.3,
            "width": [96, 120],
            "height": [96, 120],
        }
    },
    "data_split": {"folds": 3},
    "train": {
        "image_size": 64,
        "epochs": 2,
        "pictures_per_epoch": 16,
        "batch_size": 4,
        "network": {
            "encoder": "tu-test_resnet",
            "encoder_weights": None,
            "decoder_channels": [16, 8, 8, 4, 4],
            "in_channels": 1,
        },
    },
    "evaluate": {"bootstrap": 100, "gallery": 1, "gates": {}},
    "export": {"calibration_pictures": 2},
}


@dataclass(frozen=True)
class Clone:
    """A clone of this repository in which the pipeline has run once and is committed."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone, whatever its status."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    def out_of(self, *command: str) -> str:
        """What a command writes that must succeed."""
        done = self.run(*command)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def repro(self) -> list[str]:
        """The stages that `dvc repro` runs."""
        return stages_run(self.out_of("dvc", "repro"))

    def change(self, **sections: Any) -> None:
        """Change params, such as train={"epochs": 1}."""
        params = self.folder / "params.yaml"
        content = yaml.safe_load(params.read_text(encoding="utf-8"))
        for section, values in sections.items():
            content[section] |= values
        params.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def json_of(self, path: str) -> Any:
        """The content of a JSON file."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))


def stages_run(output: str) -> list[str]:
    return re.findall(r"^Running stage '(\w+)'", output, flags=re.MULTILINE)


def files_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The clone after its first `dvc repro`."""
    folder, home = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("home")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "HF_HUB_OFFLINE": "1",
    }
    clone = Clone(folder, environment)
    clone.change(**TINY)
    for name, value in (("user.name", "Tester"), ("user.email", "tester@example.com")):
        clone.out_of("git", "config", "--global", name, value)
    clone.out_of("git", "init", "--quiet")
    clone.out_of("git", "add", "--all")
    clone.out_of("git", "commit", "--quiet", "-m", "Take the files of this repository")
    assert clone.repro() == STAGES
    clone.out_of("git", "add", "--all")
    clone.out_of("git", "commit", "--quiet", "-m", "Run the pipeline")
    return clone


@pytest.fixture
def clone(ran: Clone) -> Iterator[Clone]:
    """The clone, as it was after its first run; what a test changes is taken back."""
    yield ran
    ran.out_of("git", "reset", "--quiet", "--hard")
    ran.out_of("dvc", "checkout", "--force", "--quiet")


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
    assert stages_run(again) == ["check_packages", "evaluate", "export"]
    assert (clone.folder / "models/unet.safetensors").read_bytes() == weights
    assert changed(clone) == set()


def test_the_plots_are_drawn_and_the_graph_is_shown(clone: Clone, tmp_path: Path):
    clone.out_of("dvc", "plots", "show", "--out", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text(encoding="utf-8")
    drawn = ("plots_confusion_csv", "plots_precision_recall_csv", "plots_iou_csv", "train_loss")
    assert [
        name for name in (*drawn, "gallery_png", "train_plots_images") if name not in page
    ] == []
    graph = clone.out_of("dvc", "dag")
    assert all(stage in graph for stage in STAGES)
