"""guard: a stage refuses to finish when what it depends on changed while it ran."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from defectseg.errors import DependencyError
from defectseg.guard import Guard, mark_files, read_declared, read_yaml
from ran_project import Clone, copy_project, stages_run

PIPELINE = """\
stages:
  split:
    cmd: python split.py
    deps: [code.py, tiles]
    params: [split]
  plain:
    cmd: python plain.py
"""
# Waits inside the stage until the test has made its edit.
WAIT = """
    import time
    Path("started").touch()
    while not Path("edited").exists():
        time.sleep(0.02)
"""
EDIT_LIMIT_S = 240.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a stage `split` that reads a module, a folder and a section; we stand in it."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(PIPELINE)
    Path("params.yaml").write_text("split: {folds: 3}\nother: 1\n")
    Path("code.py").write_text("a = 1\n")
    Path("tiles/images").mkdir(parents=True)
    Path("tiles/images/1.png").write_bytes(b"one")
    return tmp_path


def refusal(guard: Guard) -> str:
    """What the guard lists as changed."""
    with pytest.raises(DependencyError) as refused:
        guard.refuse_changes()
    return str(refused.value).removeprefix("changed while split ran: ").partition(". Nobody")[0]


def test_nothing_changed_is_no_refusal(project: Path):
    guard = Guard("split")
    Path("code.py").write_text("a = 1\n")  # written anew: the same content
    Path("params.yaml").write_text("other: 2\nsplit: {folds: 3}\n")  # not our section
    Path("plain.py").write_text("no dependency")
    guard.refuse_changes()


def test_everything_that_changed_is_named(project: Path):
    guard = Guard("split")
    Path("code.py").write_text("a = 2\n")
    Path("tiles/images/1.png").write_bytes(b"three")
    Path("tiles/images/2.png").write_bytes(b"two")
    Path("params.yaml").write_text("split: {folds: 4}\n")
    expected = "code.py, params.yaml: split, tiles/images/1.png, tiles/images/2.png"
    assert refusal(guard) == expected


@pytest.mark.parametrize("path", ["code.py", "tiles/images/1.png"])
def test_a_dependency_that_is_gone_is_named(project: Path, path: str):
    guard = Guard("split")
    Path(path).unlink()
    assert refusal(guard) == path


def test_a_dependency_that_came_is_named(project: Path):
    Path("code.py").unlink()
    guard = Guard("split")
    Path("code.py").write_text("a = 1\n")
    assert refusal(guard) == "code.py"


def test_a_section_that_is_gone_is_named(project: Path):
    guard = Guard("split")
    Path("params.yaml").write_text("other: 1\n")
    assert refusal(guard) == "params.yaml: split"


def test_an_edited_file_of_equal_size_and_time_is_noticed(project: Path):
    guard, before = Guard("split"), Path("code.py").stat()
    Path("code.py").write_text("a = 3\n")
    os.utime("code.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert refusal(guard) == "code.py"


def test_many_changes_are_cut_short(project: Path):
    guard = Guard("split")
    for number in range(100, 130):
        Path(f"tiles/{number}").touch()
    assert refusal(guard).split(", ") == [*(f"tiles/{n}" for n in range(100, 120)), "…"]


def test_the_refusal_says_what_to_do(project: Path):
    guard = Guard("split")
    Path("code.py").unlink()
    with pytest.raises(DependencyError, match=r"does not count: `dvc repro` runs split again$"):
        guard.refuse_changes()


def test_a_stage_that_nobody_declared_is_not_guarded(project: Path):
    assert read_declared("none", Path("dvc.yaml")) == ([], [])
    assert read_declared("plain", Path("dvc.yaml")) == ([], [])
    assert read_declared("split", Path("dvc.yaml")) == (["code.py", "tiles"], ["split"])
    Guard("none").refuse_changes()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"[]", b""])
def test_a_yaml_file_that_cannot_be_read_is_empty(tmp_path: Path, content: bytes):
    (tmp_path / "x.yaml").write_bytes(content)
    assert read_yaml(tmp_path / "x.yaml") == {}
    assert read_yaml(tmp_path / "none.yaml") == {}


def test_files_are_known_by_content_and_those_of_folders_by_size_and_time(project: Path):
    stat = Path("tiles/images/1.png").stat()
    assert mark_files(Path("code.py")) == {"code.py": hashlib.sha256(b"a = 1\n").hexdigest()}
    assert mark_files(Path("tiles")) == {
        "tiles/images": "",
        "tiles/images/1.png": f"3 {stat.st_mtime_ns}",
    }
    assert mark_files(Path("none")) == {"none": None}


def test_where_yaml_cannot_be_imported_there_is_no_guard(project: Path):
    code = (
        "import sys; sys.modules['yaml'] = None\n"
        "from defectseg.guard import Guard\n"
        "Guard('split').refuse_changes(); print('passed')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "passed\n"), done.stderr


@pytest.fixture(scope="module")
def clone(ran_project: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A project whose stages data_split and train wait before they end for the test's edit."""
    made = copy_project(ran_project, tmp_path_factory.mktemp("guarded") / "clone", True)
    for stage, last in (("data_split", "    print("), ("train", "    print(")):
        script = made.folder / f"src/stages/{stage}.py"
        text = script.read_text(encoding="utf-8")
        assert text.count(last) == 1
        script.write_text(text.replace(last, WAIT.lstrip("\n") + last), encoding="utf-8")
    return made


def run_and_edit(clone: Clone, stage: str, path: str, content: bytes) -> tuple[int, str]:
    """Run a stage and write a file while it runs; its status and what it said."""
    for sign in ("started", "edited"):
        (clone.folder / sign).unlink(missing_ok=True)
    with subprocess.Popen(
        ["dvc", "repro", "--force", "--single-item", stage],
        cwd=clone.folder,
        env=clone.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            wait_for(clone.folder / "started", process)
            (clone.folder / path).write_bytes(content)
        finally:
            (clone.folder / "edited").touch()
        output, _ = process.communicate(timeout=EDIT_LIMIT_S)
    return process.returncode, output


def wait_for(sign: Path, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + EDIT_LIMIT_S
    while not sign.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.02)


def lock_of(clone: Clone) -> dict[str, object]:
    content = yaml.safe_load((clone.folder / "dvc.lock").read_text(encoding="utf-8"))
    return dict(content["stages"])


def picture_of(clone: Clone) -> str:
    picture = min((clone.folder / "data/tiles/images").iterdir())
    return picture.relative_to(clone.folder).as_posix()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_stage_refuses_what_was_edited_while_it_ran_and_runs_again(clone: Clone):
    locked = lock_of(clone)
    module = "src/defectseg/data/split.py"
    edits = {
        module: ((clone.folder / module).read_bytes() + b"# edited\n", module),
        "params.yaml": (edited_params(clone), "params.yaml: data_split"),
        picture_of(clone): (b"no picture", picture_of(clone)),
    }
    for path, (content, said) in edits.items():
        before = (clone.folder / path).read_bytes()
        status, output = run_and_edit(clone, "data_split", path, content)
        assert status != 0, output
        assert f"data_split: error: changed while data_split ran: {said}. Nobody" in output
        assert lock_of(clone) == locked  # nothing of it is recorded
        (clone.folder / path).unlink()  # a tile may be a link to the cache
        (clone.folder / path).write_bytes(before)
    assert stages_run(clone.out_of("dvc", "repro", "data_split"))[-1] == "data_split"


def edited_params(clone: Clone) -> bytes:
    content = yaml.safe_load((clone.folder / "params.yaml").read_text(encoding="utf-8"))
    content["data_split"]["fold"] = 1
    return yaml.safe_dump(content, sort_keys=False).encode()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_source_file_that_is_only_touched_is_no_change(clone: Clone):
    module = "src/defectseg/data/split.py"
    content = (clone.folder / module).read_bytes()
    status, output = run_and_edit(clone, "data_split", module, content)
    assert status == 0, output


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_refused_training_keeps_its_checkpoint_and_the_next_one_goes_on(clone: Clone):
    module, locked = clone.folder / "src/defectseg/network/loss.py", lock_of(clone)
    before, checkpoint = module.read_bytes(), clone.folder / "models/checkpoint"
    status, output = run_and_edit(
        clone, "train", "src/defectseg/network/loss.py", before + b"# edited\n"
    )
    assert status != 0
    assert "changed while train ran: src/defectseg/network/loss.py. Nobody" in output
    assert lock_of(clone)["train"] == locked["train"]
    assert any(checkpoint.iterdir())
    module.write_bytes(before)
    clone.out_of("dvc", "repro", "--single-item", "train")
    assert json.loads((clone.folder / "models/unet.run.json").read_text())["epochs"] == 0
    assert not any(checkpoint.iterdir())
