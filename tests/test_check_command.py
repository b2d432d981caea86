"""commands/check: `defectseg data check`, its words and its exit status."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from conftest import committed_checks, load_params, write_class_folders, write_mask
from defectseg.cli import app

CRACKS = "MT_Crack/Imgs"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with params.yaml, tiles of another source, and a data set beside it."""
    write_params(tmp_path / "params.yaml")
    classes = {"MT_Free": ["f1"], "MT_Crack": ["c1", "c2"]}
    write_class_folders(tmp_path / "in", classes)
    (tmp_path / "data/tiles").mkdir(parents=True)
    (tmp_path / "data/tiles/manifest.csv").write_text("as it was")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_params(path: Path, **changes: Any) -> None:
    """Write params.yaml; its source and digest are those of the project, not what is checked."""
    params = load_params("synthetic", digest="0" * 64, **changes)
    path.write_text(yaml.safe_dump({"data_load": params.model_dump(mode="json")}))


def run(*arguments: str, status: int = 0) -> str:
    """What the command says: on its output, or on its errors where nothing could be checked."""
    result = CliRunner().invoke(app, ["data", "check", *arguments])
    assert result.exit_code == status, result.output
    return result.stderr if status == 2 else result.stdout


def assert_untouched(workplace: Path, *new: str) -> None:
    assert (workplace / "data/tiles/manifest.csv").read_text() == "as it was"
    names = sorted(path.name for path in workplace.iterdir())
    assert names == sorted(["data", "in", "params.yaml", *new])
    assert [path.name for path in (workplace / "data").iterdir()] == ["tiles"]


def test_good_data_end_with_status_0_and_touch_nothing(workplace: Path):
    lines = run("in").splitlines()
    first = lines[0].partition(" surfaces, ")
    assert first[0].startswith("in: layout class_folders, 3 pictures of ")
    assert first[2] == "classes crack"
    assert lines[-1].startswith("0 errors, ")
    assert lines[-1].endswith(" 0 files left out; see them with --report")
    assert_untouched(workplace)


def test_an_error_ends_with_status_1_and_comes_before_warnings(workplace: Path):
    write_mask(workplace / f"in/{CRACKS}/c1.png", width=9)
    write_mask(workplace / f"in/{CRACKS}/c2.png", area=1)
    lines = run("in", status=1).splitlines()
    assert lines[1].startswith("error   sizes                Sizes of picture and mask differ: 1")
    severities = [line.split()[0] for line in lines[1:-1]]
    assert severities == sorted(severities)
    assert "warning " in "\n".join(lines)
    assert lines[-1].startswith("1 errors, ")
    assert " 1 files left out" in lines[-1]
    assert_untouched(workplace)


def test_what_is_an_error_is_said_by_the_params(workplace: Path):
    write_mask(workplace / f"in/{CRACKS}/c1.png", width=9)
    write_params(workplace / "params.yaml", checks=committed_checks(sizes="warning"))
    assert "warning sizes  " in run("in")
    stricter = committed_checks(sizes="off", tiny_defects="error", tiny_px=50)
    write_params(workplace / "other.yaml", checks=stricter)
    said = run("in", "--params", "other.yaml", status=1)
    assert "error   tiny_defects  " in said
    assert "sizes of picture" not in said


def test_a_report_is_written_whether_the_data_are_good_or_not(workplace: Path):
    said = run("in", "--report", "good")
    assert said.splitlines()[-1].endswith("look at good/index.html")
    assert (workplace / "good/quarantine.csv").read_text() == "file,check,reason\n"
    write_mask(workplace / f"in/{CRACKS}/c1.png", width=9)
    run("in", "--report", "bad", status=1)
    rows = (workplace / "bad/quarantine.csv").read_text().splitlines()
    assert rows[1:] == [f'{CRACKS}/c1.jpg,sizes,"picture 80×72, mask 9×72"']
    assert "c1.jpg" in (workplace / "bad/index.html").read_text()
    assert_untouched(workplace, "good", "bad")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere"),
        (("data",), "no known layout"),
        (("params.yaml",), "params.yaml"),
        (("in", "--params", "none.yaml"), "none.yaml cannot be read as YAML"),
        (("in", "--report", "params.yaml"), "params.yaml"),
    ],
)
def test_what_cannot_be_checked_ends_with_a_message_and_status_2(
    arguments: tuple[str, ...], message: str, workplace: Path
):
    said = run(*arguments, status=2)
    assert "error: " in said
    assert message in said
    assert_untouched(workplace)


def test_a_set_of_which_nothing_is_left_cannot_be_checked(workplace: Path):
    for name in ("c1", "c2"):
        write_mask(workplace / f"in/{CRACKS}/{name}.png", area=0)
    write_mask(workplace / "in/MT_Free/Imgs/f1.png")
    said = run("in", status=2)
    assert "There is no picture left." in said
    assert "defect pictures with an empty mask (2):" in said
