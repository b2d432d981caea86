"""cli: the scores of a finished pipeline, for people and for a README."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from defectseg.cli import DataCommands, TopCommands, app
from defectseg.commands.scores import score_row, select_scores

SCORES = {
    "pictures": 48,
    "surfaces": 17,
    "iou_crack": 0.5,
    "dice_pooled": 0.8125,
    "pixel_accuracy": 0.99,
    "iou_macro": 0.6,
    "image_auroc": None,
    "interval": {
        "iou_crack": {"low": 0.25, "high": 0.75},
        "dice_pooled": {"low": 0.7711, "high": 0.8496},
        "pixel_accuracy": {"low": 0.98, "high": 1.0},
        "iou_macro": {"low": 0.5, "high": 0.7},
        "image_auroc": {"low": None, "high": None},
    },
}


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    path = tmp_path / "evaluate.json"
    path.write_text(json.dumps(SCORES))
    return path


def show(*arguments: str | Path) -> list[str]:
    result = CliRunner().invoke(app, ["scores", *map(str, arguments)])
    assert result.exit_code == 0
    return result.output.splitlines()


def test_scores_are_a_table_with_headlines_first_and_classes_last(metrics: Path):
    lines = show(metrics)
    assert lines[:6] == [
        "test part: 48 pictures of 17 surfaces",
        "score                         test   95 % interval",
        "dice_pooled                  0.812   0.771 – 0.850",
        "iou_macro                    0.600   0.500 – 0.700",
        "image_auroc                      –   – – –",
        "iou_crack                    0.500   0.250 – 0.750",
    ]


def test_below_the_scores_stands_where_everything_lies(metrics: Path):
    lines = show(metrics)
    assert lines[6] == ""
    assert any(line.startswith("model     models/unet.onnx (raw") for line in lines[7:])


def test_scores_are_a_markdown_table_on_demand(metrics: Path):
    assert show(metrics, "--markdown") == [
        "test part: 48 pictures of 17 surfaces",
        "| score | test | 95 % interval |",
        "|---|---|---|",
        "| `dice_pooled` | 0.812 | 0.771 – 0.850 |",
        "| `iou_macro` | 0.600 | 0.500 – 0.700 |",
        "| `image_auroc` | – | – – – |",
        "| `iou_crack` | 0.500 | 0.250 – 0.750 |",
    ]


def test_by_default_the_scores_of_this_folder_are_shown(
    metrics: Path, monkeypatch: pytest.MonkeyPatch
):
    (metrics.parent / "metrics").mkdir()
    metrics.rename(metrics.parent / "metrics/evaluate.json")
    monkeypatch.chdir(metrics.parent)
    assert show()[0] == "test part: 48 pictures of 17 surfaces"


@pytest.mark.parametrize("content", [None, "{", b"\xff"], ids=["missing", "cut", "binary"])
def test_without_scores_the_message_says_what_to_run(tmp_path: Path, content: str | bytes | None):
    path = tmp_path / "evaluate.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = CliRunner().invoke(app, ["scores", str(path)])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"no scores in {path}: ")
    assert result.stderr.endswith("; run `make run` first\n")
    assert result.stdout == ""


def test_a_score_has_three_digits_and_its_interval():
    assert score_row("dice_pooled", SCORES) == ("dice_pooled", "0.812", "0.771 – 0.850")


def test_what_is_no_headline_and_no_class_is_left_out():
    assert select_scores(SCORES) == ["dice_pooled", "iou_macro", "image_auroc", "iou_crack"]


@pytest.mark.parametrize("content", ["{}", "[]", '{"dice_pooled": 1}', "not JSON"])
def test_a_file_that_holds_no_scores_is_named_and_not_a_traceback(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "evaluate.json"
    path.write_text(content)
    result = CliRunner().invoke(app, ["scores", str(path)])
    assert result.exit_code == 1
    assert f"no scores in {path}" in result.output


COMMANDS = TopCommands.modules | DataCommands.modules


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_function_of_its_own_module(name: str):
    assert callable(getattr(import_module(COMMANDS[name]), name))


@pytest.mark.parametrize(
    ("group", "modules"), [([], TopCommands.modules), (["data"], DataCommands.modules)]
)
def test_help_names_every_command(group: list[str], modules: dict[str, str]):
    shown = CliRunner().invoke(app, [*group, "--help"]).output
    for name in modules:
        assert f"\n│ {name} " in shown


@pytest.mark.parametrize("name", TopCommands.modules)
def test_a_command_teaches_by_its_help(name: str):
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert f"defectseg {name}" in result.output.replace("root", "defectseg")


def test_a_command_that_does_not_exist_is_refused():
    result = CliRunner().invoke(app, ["scoers"])
    assert result.exit_code == 2
    assert "No such command 'scoers'" in result.output


def test_a_command_does_not_import_what_only_others_need():
    code = (
        "import sys; from typer.testing import CliRunner; from defectseg.cli import app;"
        "CliRunner().invoke(app, ['predict', '--help']);"
        "print([name for name in ('faiss', 'sklearn', 'pandas', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
