"""`defectseg predict`: what is asked, what is written where, and with which exit status."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from defectseg.cli import app
from drawn_model import read_lines, write_model, write_painted, write_pictures

DRAWINGS = {"a.png": "1..", "b.png": "...", "sub/a.png": "2.1"}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with models/unet.onnx and three pictures in in/."""
    write_model(tmp_path / "models/unet.onnx")
    write_pictures(tmp_path / "in", DRAWINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, status: int = 0, given: str | None = None) -> Result:
    result = CliRunner().invoke(app, ["predict", *arguments], input=given)
    assert result.exit_code == status, result.output
    return result


def results(folder: str = "out") -> list[dict[str, Any]]:
    return read_lines(Path(folder, "results.jsonl").read_text("utf-8"))


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [record["image_id"] for record in records]


def test_without_out_json_lines_go_to_stdout_in_order_and_nothing_is_written(workplace: Path):
    before = sorted(workplace.rglob("*"))
    result = run("in")
    told = read_lines(result.stdout)
    assert [(each["path"], each["verdict"]) for each in told] == [
        ("in/a.png", "reject"),
        ("in/b.png", "accept"),
        ("in/sub/a.png", "reject"),
    ]
    assert "fingerprint" not in told[0]
    assert sorted(workplace.rglob("*")) == before


def test_the_last_line_on_stderr_counts(workplace: Path):
    write_painted(workplace / "in/c.png", "1", level=178)
    (workplace / "in/d.png").write_text("no picture")
    last = run("in", status=1).stderr.splitlines()[-1]
    counts, _, rate = last.partition("; ")
    assert counts == "5 pictures: 1 accepted, 1 for review, 2 rejected, 1 failed"
    assert float(rate.removesuffix(" pictures/s")) > 0


def test_quiet_says_nothing_but_errors(workplace: Path):
    (workplace / "in/d.png").touch()
    assert run("in/a.png", "--quiet").stderr == ""
    said = run("in", "--quiet", status=1).stderr
    assert said == "error: in/d.png: the file has 0 bytes (EMPTY_FILE)\n"


def test_a_failure_is_a_line_too_and_the_exit_status_is_1(workplace: Path):
    (workplace / "in/b.png").write_text("hello")
    told = read_lines(run("in", status=1).stdout)
    assert ids(told) == ["in/a.png", "in/b.png", "in/sub/a.png"]
    assert set(told[1]) == {"image_id", "path", "error"}
    assert told[1]["error"]["code"] == "UNSUPPORTED_IMAGE"


def test_csv_goes_to_stdout():
    rows = list(csv.DictReader(io.StringIO(run("in", "--format", "csv").stdout)))
    assert [(row["path"], row["defect_class"]) for row in rows] == [
        ("in/a.png", "crack"),
        ("in/b.png", ""),
        ("in/sub/a.png", "blowhole"),  # as sure as the crack, and further to the left
        ("in/sub/a.png", "crack"),
    ]


def test_every_format_is_written_below_the_folder(workplace: Path):
    forms = [arg for form in ("csv", "coco", "png", "overlay") for arg in ("--format", form)]
    assert run("in", "--out", "out", *forms).stdout == ""
    files = sorted(p.relative_to("out").as_posix() for p in Path("out").rglob("*") if p.is_file())
    assert files == [
        ".lock",
        "coco.json",
        *(f"masks/in/{name}.png" for name in DRAWINGS),
        *(f"overlays/in/{name}.jpg" for name in DRAWINGS),
        "results.csv",
        "results.jsonl",
    ]
    with Image.open("out/masks/in/sub/a.png.png") as image:
        assert np.asarray(image).tolist() == [[2, 0, 1]]
    coco = json.loads(Path("out/coco.json").read_text())
    assert len(coco["images"]) == len(coco["annotations"]) == 3
    assert len(Path("out/results.csv").read_text().splitlines()) == 5


def test_areas_in_mm2_are_asked_for():
    (told,) = read_lines(run("in/a.png", "--mm-per-pixel", "0.5").stdout)
    assert told["defects"][0]["area_mm2"] == 0.25


def test_a_list_of_pictures_comes_from_stdin():
    told = read_lines(run("-", given="in/b.png\nin/a.png\nin/b.png\n").stdout)
    assert ids(told) == ["in/b.png", "in/a.png"]
    told = read_lines(run("-", "--null", given="in/b.png\0").stdout)
    assert ids(told) == ["in/b.png"]


def test_a_second_run_skips_what_is_done(workplace: Path):
    run("in", "--out", "out")
    first = Path("out/results.jsonl").read_bytes()
    said = run("in", "--out", "out").stderr
    assert said.startswith("0 pictures (3 more were done before and are skipped): ")
    assert Path("out/results.jsonl").read_bytes() == first


def test_an_interrupted_run_goes_on_where_it_ended(workplace: Path):
    run("in", "--out", "out")
    path = Path("out/results.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"\n") + 20])  # one line, and a torn one
    said = run("in", "--out", "out").stderr
    assert said.startswith("2 pictures (1 more were done before and are skipped): ")
    assert ids(results()) == ["in/a.png", "in/b.png", "in/sub/a.png"]


@pytest.mark.parametrize("change", ["picture", "model", "option", "format", "file gone"])
def test_what_changed_is_computed_again(change: str, workplace: Path):
    run("in", "--out", "out", "--format", "png")
    more = ["--format", "png"]
    if change == "picture":
        write_painted(workplace / "in/a.png", "....")
    elif change == "model":
        write_model(workplace / "models/unet.onnx", data_digest="e" * 64)
    elif change == "option":
        more += ["--mm-per-pixel", "2"]
    elif change == "format":
        more += ["--format", "overlay"]
    else:
        Path("out/masks/in/a.png.png").unlink()
    said = run("in", "--out", "out", *more).stderr
    again = 1 if change in {"picture", "file gone"} else 3
    assert said.startswith(f"{again} picture")
    assert sorted(ids(results())) == ["in/a.png", "in/b.png", "in/sub/a.png"]
    assert Path("out/masks/in/a.png.png").is_file()


def test_a_failure_is_tried_again(workplace: Path):
    (workplace / "in/b.png").write_bytes(b"")
    run("in", "--out", "out", status=1)
    write_painted(workplace / "in/b.png", "2")
    assert run("in", "--out", "out").stderr.startswith("1 picture (2 more were done")
    assert sorted(ids(results())) == ["in/a.png", "in/b.png", "in/sub/a.png"]
    assert not any("error" in record for record in results())


def test_results_of_other_pictures_stay_and_are_in_the_tables(workplace: Path):
    write_painted(workplace / "more/x.png", "2")
    run("in", "--out", "out", "--format", "coco")
    run("more", "--out", "out", "--format", "coco")
    assert ids(results()) == ["in/a.png", "in/b.png", "in/sub/a.png", "more/x.png"]
    assert len(json.loads(Path("out/coco.json").read_text())["images"]) == 4


def test_an_output_folder_among_the_pictures_is_not_predicted(workplace: Path):
    for _ in range(2):
        run("in", "--out", "in/out", "--format", "overlay")
    assert len(results("in/out")) == 3


def test_results_never_lie_among_the_pictures(workplace: Path):
    for asked in (("in", "--out", "in"), (".", "--out", "."), ("--watch", "in", "--out", ".")):
        said = " ".join(run(*asked, status=2).stderr.split())
        assert "holds the pictures of" in said
        assert "name a new folder" in said
    assert not (workplace / "in/results.jsonl").exists()


def test_a_picture_that_cannot_be_drawn_fails_alone(workplace: Path):
    wide = np.zeros((1, 65_501), dtype=np.uint8)
    Image.fromarray(wide).save(workplace / "in/c.png")
    result = run("in", "--out", "out", "--format", "overlay", "--format", "coco", status=1)
    assert "c.png" in result.stderr
    told = {each["image_id"]: each for each in results()}
    assert told["in/c.png"]["error"]["code"] == "OUTPUT_FAILED"
    assert len(told) == 4
    assert Path("out/coco.json").is_file()


def test_what_export_refuses_for_an_engine_is_told(workplace: Path):
    (workplace / "models/offers.json").write_text('{"fp32": {"onnxruntime": ["it loses 3 %"]}}')
    said = " ".join(run("in").stderr.split())
    assert "does not offer models/unet.onnx for onnxruntime: it loses 3 %" in said
    (workplace / "models/offers.json").write_text('{"fp32": {"onnxruntime": []}}')
    assert "does not offer" not in run("in").stderr


def test_pictures_outside_of_the_working_folder_are_kept_apart(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
):
    (workplace / "deep").mkdir()
    monkeypatch.chdir(workplace / "deep")
    model = ("--model", "../models/unet.onnx")
    run("../in/a.png", "../in/sub/a.png", "--out", "out", "--format", "png", *model)
    found = [path for path in Path("out/masks").rglob("*.png") if path.is_file()]
    assert len(found) == 2
    assert all(path.resolve().is_relative_to(workplace / "deep/out") for path in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name pictures, folders"),
        (("gone.png",), "gone.png is no file and no folder"),
        (("models",), "no picture in models"),
        (("in", "--watch", "in"), "leave out the other PATHS"),
        (("--watch", "gone"), "--watch: gone is no folder"),
        (("in", "--format", "png"), "--format png makes files"),
        (("in", "--format", "coco"), "--format coco makes files"),
        (("in", "--format", "csv", "--format", "json"), "only one format fits on stdout"),
        (("in", "--format", "xml"), "xml"),
        (("in", "--mm-per-pixel", "0"), "--mm-per-pixel is 0.0"),
        (("in", "--mm-per-pixel", "nan"), "--mm-per-pixel is nan"),
        (("--watch", "in", "--poll", "0"), "--poll is 0.0"),
        (("in", "--model", "gone.onnx"), "gone.onnx"),
        (("in", "--model", "in/a.png"), "in/a.png"),
        (("in", "--engine", "abacus"), "abacus"),
        (("in", "--out", "in/a.png"), "the results cannot be written to in/a.png: "),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what(arguments: tuple[str, ...], message: str):
    result = run(*arguments, status=2)
    plain = " ".join(result.stderr.replace("│", " ").split())
    assert message in plain
    assert "Traceback" not in plain
    assert result.stdout == ""


def test_an_empty_list_is_told():
    assert "the list on stdin is empty" in run("-", status=2, given="\n").stderr


def test_a_result_file_of_somebody_else_is_kept(workplace: Path):
    (workplace / "out").mkdir()
    (workplace / "out/results.jsonl").write_text("mine\n")
    assert "line 1 of out/results.jsonl is no result" in run("in", "--out", "out", status=2).stderr
    assert (workplace / "out/results.jsonl").read_text() == "mine\n"


def test_what_stands_in_the_way_of_a_file_stops_at_once(workplace: Path):
    (workplace / "out").mkdir()
    (workplace / "out/masks").write_text("in the way")
    said = run("in", "--out", "out", "--format", "png", status=2).stderr
    assert "the results cannot be written to out: " in said
    shutil.rmtree(workplace / "out")
    run("in", "--out", "out", "--format", "png")


def test_results_never_go_to_what_is_no_file(workplace: Path):
    (workplace / "out").mkdir()
    (workplace / "out/results.jsonl").symlink_to("/dev/null")
    assert "out/results.jsonl is no file" in run("in", "--out", "out", status=2).stderr
