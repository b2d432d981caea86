"""The steps of CI, as they are, in a bare repository with clones: what is refused, and why.

A main branch has a good model for easy pictures; pull requests change one thing each.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import yaml

from conftest import save_array
from ran_project import ROOT, STAGES, Clone, copy_project, stages_run

STEPS = ["pull", "reproduce", "push", "compare", "verdict"]
MARKER = "<!-- defectseg compare -->"
PICTURES = 36
GOOD_RATE = 0.01
TRAIN = {"epochs": 4, "pictures_per_epoch": 48, "learning_rate": GOOD_RATE}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


@dataclass(frozen=True)
class Forge:
    """A bare repository and a storage, from which authors and CI clone."""

    folder: Path
    branch: str  # into which the pull requests go
    environment: dict[str, str]

    def clone(self, name: str) -> Clone:
        """A fresh clone that knows the storage and has an empty cache."""
        clone = Clone(self.folder / name, self.environment)
        clone.folder.mkdir()
        clone.out_of("git", "clone", "--quiet", str(self.folder / "origin"), ".")
        self.add_storage(clone)
        return clone

    def add_storage(self, clone: Clone) -> None:
        address = str(self.folder / "storage")
        clone.out_of("dvc", "remote", "add", "--local", "--default", "shelf", address)

    def stored(self) -> set[Path]:
        return {path for path in (self.folder / "storage").rglob("*") if path.is_file()}

    def request(self, name: str, change: Callable[[Clone], None]) -> Clone:
        """A branch with a change that its author did not run."""
        author = self.clone(f"{name}-author")
        author.out_of("git", "switch", "--quiet", "--create", name)
        change(author)
        self.push(author, name)
        return author

    def push(self, author: Clone, name: str) -> None:
        author.out_of("git", "add", "--all")
        author.out_of("git", "commit", "--quiet", "-m", f"Try {name}")
        author.out_of("git", "push", "--quiet", "origin", f"HEAD:{name}")

    def check(self, name: str, run: str) -> "Run":
        """What CI does with the merge of a branch, up to the verdict."""
        clone = self.clone(f"{name}-{run}")
        clone.out_of("git", "merge", "--quiet", "--no-ff", "-m", "Merge", f"origin/{name}")
        clone = Clone(clone.folder, clone.environment | {"STORAGE": "yes", "PAUSE": "0"})
        return Run(clone, {step: self.step(clone, step) for step in STEPS})

    def step(self, clone: Clone, step: str) -> CompletedProcess[str]:
        asked = [self.branch] if step == "compare" else []
        return clone.run(f"ci/{step}.sh", *asked)


@dataclass(frozen=True)
class Run:
    """One run of CI."""

    clone: Clone
    steps: dict[str, CompletedProcess[str]]

    @property
    def statuses(self) -> dict[str, int]:
        return {name: done.returncode for name, done in self.steps.items()}

    @property
    def comment(self) -> str:
        return self.report("comment.md")

    def report(self, name: str) -> str:
        return (self.clone.folder / "ci-report" / name).read_text(encoding="utf-8")


def draw_pictures(folder: Path) -> Path:
    """Grey pictures of 64 px; two of three have a dark square, which a tiny network learns."""
    generator = np.random.default_rng(0)
    for number in range(PICTURES):
        picture = generator.normal(150, 10, (64, 64))
        mask = np.zeros((64, 64), dtype=np.uint8)
        if number % 3:
            top, left = generator.integers(0, 40, 2)
            mask[top : top + 20, left : left + 20] = 255
            picture[mask > 0] -= 90
        save_array(folder / f"images/{number:02}.png", picture.clip(0, 255).astype(np.uint8))
        save_array(folder / f"masks/{number:02}.png", mask)
    return folder


@pytest.fixture(scope="module")
def forge(ran_project: Clone, tmp_path_factory: pytest.TempPathFactory) -> Forge:
    """The main branch: its model meets its gates, and all of it is committed and pushed."""
    folder = tmp_path_factory.mktemp("forge")
    main = copy_project(ran_project, folder / "main", has_own_cache=True)
    shutil.copytree(
        ROOT / "ci", main.folder / "ci", dirs_exist_ok=True, ignore=lambda *_: ["node_modules"]
    )
    params = yaml.safe_load((main.folder / "params.yaml").read_text(encoding="utf-8"))
    each_its_own = params["data_load"]["surfaces"] | {"source": "none"}
    source = str(draw_pictures(folder / "pictures"))
    main.change(
        data_load={"source": source, "surfaces": each_its_own},
        train=TRAIN,
        evaluate={"gates": {"iou_macro": 0.5, "escape_rate": 0.3}},
        export={"variants": []},
    )
    forge = Forge(folder, main.out_of("git", "branch", "--show-current").strip(), main.environment)
    forge.add_storage(main)
    assert main.repro() == STAGES
    main.out_of("dvc", "push")
    main.out_of("git", "add", "--all")
    main.out_of("git", "commit", "--quiet", "-m", "Train a good model")
    main.out_of("git", "clone", "--quiet", "--bare", ".", str(folder / "origin"))
    shutil.rmtree(source)  # nobody else has the pictures: they come from the storage
    return forge


def test_a_learning_rate_of_nearly_nothing_is_blocked_and_the_report_says_why(forge: Forge):
    def lower_the_rate(author: Clone) -> None:
        author.change(train={"learning_rate": 1e-6})

    forge.request("slow", lower_the_rate)
    before = forge.stored()
    run = forge.check("slow", "ci")
    comment = run.comment
    assert run.statuses == dict.fromkeys(STEPS, 0) | {"verdict": 1}, comment
    assert [
        stage for stage in stages_run(run.report("repro.log")) if stage in STAGES[1:]
    ] == STAGES[3:]
    assert MARKER in comment
    (row,) = [line for line in comment.splitlines() if "◆ `iou_macro`" in line]
    assert "**▼ worse**" in row
    assert "| `train.learning_rate` | `0.01` | `1e-06` |" in comment
    assert "❌ a gated metric is worse than at the base" in comment
    assert "❌ `dvc repro` failed" in comment
    log = comment.partition("The end of repro.log")[2]
    assert "evaluate.gates failed, so this model is not exported" in log
    assert "%|" not in log
    assert "is not committed" not in comment  # who would commit it?
    assert "<html" in run.report("index.html")
    assert forge.stored() == before  # nothing of a model that was refused
    assert "❌ a gated metric is worse" in run.steps["verdict"].stdout


def test_a_change_of_words_passes_and_trains_nothing(forge: Forge):
    def add_words(author: Clone) -> None:
        for name, words in (("README.md", "\nMore words.\n"), ("params.yaml", "\n# A remark.\n")):
            with (author.folder / name).open("a", encoding="utf-8") as file:
                file.write(words)

    forge.request("words", add_words)
    run = forge.check("words", "ci")
    assert run.statuses == dict.fromkeys(STEPS, 0), run.comment
    assert set(stages_run(run.report("repro.log"))) == {"check_packages"}
    assert "Stages that ran: none, everything was up to date" in run.comment
    assert "nothing to object to" in run.comment
    assert "❌" not in run.comment
    assert "▼" not in run.comment
    assert run.report("model.patch") == ""


def test_what_ci_ran_and_pushed_passes_once_its_patch_is_committed(forge: Forge):
    author = forge.request("draws", lambda author: author.change(evaluate={"bootstrap": 150}))
    first = forge.check("draws", "first")
    assert first.statuses == dict.fromkeys(STEPS, 0) | {"verdict": 1}, first.comment
    assert "- Stages that ran: evaluate" in first.comment
    assert "is not committed" in first.comment and "dvc.lock " in first.comment
    author.out_of("git", "apply", str(first.clone.folder / "ci-report/model.patch"))
    forge.push(author, "draws")
    second = forge.check("draws", "second")
    assert second.statuses == dict.fromkeys(STEPS, 0), second.comment
    assert "Stages that ran: none" in second.comment


def test_other_packages_stop_it_before_anything_is_trained(forge: Forge):
    clone = forge.clone("packages")
    with (clone.folder / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write("a-package-that-is-not-there==1.0\n")
    clone.out_of("git", "commit", "--quiet", "-a", "-m", "Name another package")
    assert forge.step(clone, "reproduce").returncode == 0
    log = (clone.folder / "ci-report/repro.log").read_text(encoding="utf-8")
    assert stages_run(log) == ["check_packages"]
    assert "-a-package-that-is-not-there==1.0" in log
    assert forge.step(clone, "push").stdout == "push: no storage here\n"
    assert forge.step(clone, "compare").returncode == 0
    comment = (clone.folder / "ci-report/comment.md").read_text(encoding="utf-8")
    assert comment.startswith(f"**Not compared**\n{MARKER}\n")
    assert "the installed packages are not those of requirements.txt" in comment
    assert "❌ the model could not be compared" in comment
    verdict = forge.step(clone, "verdict")
    assert verdict.returncode == 1
    assert "❌ `dvc repro` failed" in verdict.stdout


def test_a_fork_without_a_storage_goes_on_with_what_the_cache_has(forge: Forge):
    clone = forge.clone("fork")
    done = forge.step(clone, "pull")
    assert done.returncode == 0, done.stderr
    assert "no storage here" in done.stdout
    assert not (clone.folder / "models/unet.onnx").exists()


def test_a_storage_that_cannot_be_reached_stops_the_job_and_says_what_to_do(forge: Forge):
    clone = forge.clone("lost")
    gone = str(forge.folder / "gone")
    clone.out_of("dvc", "remote", "modify", "--local", "shelf", "url", gone)
    clone = Clone(clone.folder, clone.environment | {"STORAGE": "yes", "PAUSE": "0"})
    done = forge.step(clone, "pull")
    assert done.returncode == 1
    assert done.stderr.count("failed; what came stays in the cache") == 3
    assert "run `dvc push` where the pipeline ran" in done.stderr
