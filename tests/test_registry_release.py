"""registry: register, promote, roll back and fetch real models, through git, GTO's tags and DVC."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import gto.api
import pytest
from typer.testing import CliRunner

from compared import GOOD, POOR, test_part, write_revision
from defectseg.cli import app
from defectseg.errors import RegistryError
from defectseg.evaluation.scored import ScoredPicture
from defectseg.registry.describe import describe_model
from defectseg.registry.model_file import MODEL, save_model
from defectseg.registry.promote import open_version, promote, roll_back
from defectseg.registry.register import register
from defectseg.registry.registry import read_registry
from defectseg.revisions.revision import open_revision
from defectseg.service.model_hash import check_hash
from defectseg.verification.record import Outcome, VerifyRecord, write_record
from ran_project import Clone
from released import (
    EVALUATION,
    GATES,
    PER_IMAGE,
    clone_of,
    commit_model,
    commit_outs,
    release_project,
    use_remote,
    write_json,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
NEVER = "no second machine"
FLOOR = {"iou_pooled": 0.1}


@pytest.fixture(scope="module")
def released(ran_project: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Two registered versions of a model in a remote; the second is checked out."""
    clone = release_project(ran_project, tmp_path_factory.mktemp("released"))
    with pytest.MonkeyPatch.context() as patch:
        at_home(clone, patch)
        register("v1.0.0", root=clone.folder)
        commit_model(clone, "second")
        register("v1.1.0", reason="Better light", root=clone.folder)
    return clone


@pytest.fixture
def clone(released: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A clone of it without a cache, on the same remote."""
    at_home(released, monkeypatch)
    return clone_of(released, tmp_path / "clone")


@pytest.fixture
def own(released: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A copy with a remote, a cache and files of its own, to change."""
    at_home(released, monkeypatch)
    shutil.copytree(released.folder.parent, tmp_path / "own", symlinks=True)
    copied = Clone(tmp_path / "own/project", released.environment)
    use_remote(copied, tmp_path / "own/remote")
    return copied


def at_home(clone: Clone, patch: pytest.MonkeyPatch) -> None:
    """Let DVC and git in this process be those of the clone."""
    for name in ("HOME", "DVC_SITE_CACHE_DIR"):
        patch.setenv(name, clone.environment[name])


def tag_message(clone: Clone, tag: str) -> str:
    return clone.out_of("git", "tag", "--list", "--format=%(contents)", tag)


def tags(clone: Clone) -> list[str]:
    return clone.out_of("git", "tag", "--list").split()


def note(clone: Clone, version: str, outcome: Outcome) -> None:
    """Let verify have found something of a version."""
    commit = read_registry(clone.folder).find(version).event.commit
    first = "train" if outcome == "different" else None
    when = datetime(2026, 1, 31, tzinfo=UTC)
    record = VerifyRecord(
        when=when, outcome=outcome, commit=commit, epsilon=0, first_different=first, seconds=1
    )
    write_record(record, clone.folder)


def object_of(clone: Clone, rev: str, store: Path) -> Path:
    """The file of the model in a cache or a remote."""
    locked = open_revision(rev, clone.folder).lock.out(MODEL)
    assert locked is not None
    return store / "files/md5" / locked.md5[:2] / locked.md5[2:]


def commit_scores(clone: Clone, pictures: Sequence[ScoredPicture], limits: dict[str, float]) -> str:
    """Commit other scores of the same model, as evaluate would write them."""
    folder = clone.folder.parent / "scores"
    write_revision(folder, pictures, gates=limits)
    for name in (EVALUATION, PER_IMAGE):
        (clone.folder / name).unlink()
        shutil.copy(folder / name, clone.folder / name)
    write_json(clone, GATES, {"gates": clone.json_of(EVALUATION)["gates"]})
    clone.change(evaluate={"gates": limits})
    clone.out_of("dvc", "commit", "--quiet", "--force", "evaluate")
    return commit_outs(clone, "export", "Other scores")


def test_a_version_names_the_model_of_a_commit(released: Clone):
    registry = read_registry(released.folder)
    assert list(registry.versions) == ["v1.0.0", "v1.1.0"]
    head = released.out_of("git", "rev-parse", "HEAD").strip()
    assert registry.versions["v1.1.0"].commit == head
    assert "Better light" in tag_message(released, "unet@v1.1.0")
    sha256 = released.json_of("metrics/export.json")["files"]["fp32"]["sha256"]
    assert registry.versions["v1.1.0"].trailers["Model-sha"] == sha256
    shown = {one["version"] for one in gto.api.show(str(released.folder), "unet")}
    assert shown == {"v1.0.0", "v1.1.0"}


def test_what_may_not_be_registered_is_refused(clone: Clone):
    def refuse(message: str, version: str = "v2.0.0", rev: str = "HEAD") -> None:
        with pytest.raises(RegistryError, match=message):
            register(version, rev, root=clone.folder)

    refuse(r"v1\.0\.0 is taken: commit [0-9a-f]{12} had it", version="v1.0.0")
    refuse(r"is v1\.1\.0 already")
    refuse("is no version; expected v<major>", version="2.0")
    first = clone.out_of("git", "rev-list", "--max-parents=0", "HEAD").strip()
    refuse(r"has no models/unet\.onnx", rev=first)
    clone.out_of("git", "commit", "--quiet", "--allow-empty", "-m", "Empty")
    clone.change(train={"epochs": 3})
    refuse(r"1 files differ .*: params\.yaml; commit them")
    clone.out_of("git", "commit", "--quiet", "--all", "-m", "Change params without a run")
    refuse(
        r"not what that commit would make \(1\):\n  train: train\.epochs is 3, but it ran with 2"
    )
    assert tags(clone) == ["unet@v1.0.0", "unet@v1.1.0"]


def test_a_model_that_nobody_else_could_fetch_is_not_registered(own: Clone):
    own.out_of("git", "commit", "--quiet", "--allow-empty", "-m", "Empty")
    stored = object_of(own, "HEAD", own.folder.parent / "remote")
    content = stored.read_bytes()
    stored.unlink()
    with pytest.raises(RegistryError, match=r"only on this machine.*dvc push"):
        register("v2.0.0", root=own.folder)
    object_of(own, "HEAD", own.folder / ".dvc/cache").unlink()
    with pytest.raises(RegistryError, match=r"cannot be had.*dvc push"):
        register("v2.0.0", root=own.folder)
    stored.write_bytes(content[:-1] + b"!")
    with pytest.raises(RegistryError, match="damaged"):
        register("v2.0.0", root=own.folder)
    stored.write_bytes(content)
    assert register("v2.0.0", root=own.folder) == "unet@v2.0.0"


def test_a_model_of_another_run_than_its_metrics_is_not_registered(own: Clone):
    exported = own.json_of("metrics/export.json")
    exported["files"]["fp32"]["sha256"] = "0" * 64
    write_json(own, "metrics/export.json", exported)
    commit_outs(own, "export", "Damage")
    with pytest.raises(RegistryError, match=r"metrics/export\.json says 0{64}"):
        register("v2.0.0", root=own.folder)


def test_only_what_was_verified_is_promoted_or_with_a_reason(clone: Clone):
    with pytest.raises(RegistryError, match=r"never verified; `make verify REV=unet@v1\.1\.0`"):
        promote("prod", root=clone.folder)
    with pytest.raises(RegistryError, match="never verified"):
        promote("prod", unverified=" \n", root=clone.folder)
    note(clone, "v1.1.0", "different")
    with pytest.raises(RegistryError, match="different on 2026-01-31, first in the stage train"):
        promote("prod", root=clone.folder)
    assert read_registry(clone.folder).current("prod") is None
    promote("prod", "v1.0.0", "We\nstart", f"{NEVER}\nVerified: yes", clone.folder)
    said = read_registry(clone.folder).history("prod")[0]
    assert said.trailers["Reason"] == "We start"
    assert said.trailers["Verified"] == (
        f"no, never verified; promoted all the same: {NEVER} Verified: yes"
    )
    note(clone, "v1.1.0", "within")  # of the same time as the other: the last one counts


def test_a_version_is_promoted_and_rolled_back(clone: Clone):
    for version in ("v1.0.0", "v1.1.0"):
        note(clone, version, "bit-equal")
    assert promote("prod", "v1.0.0", root=clone.folder).tags == ("unet#prod#1",)
    promoted = promote("prod", root=clone.folder)
    assert (promoted.version, promoted.before) == ("v1.1.0", "v1.0.0")
    assert "Verified: bit-equal on 2026-01-31" in tag_message(clone, "unet#prod#2")
    assert "Compared: with v1.0.0: no gated metric is worse" in tag_message(clone, "unet#prod#2")
    with pytest.raises(RegistryError, match=r"v1\.1\.0 is in prod already, by unet#prod#2"):
        promote("prod", root=clone.folder)
    back = roll_back("prod", "It\nescapes", clone.folder)
    assert (back.version, back.before) == ("v1.0.0", "v1.1.0")
    assert back.tags == ("unet#prod!#3", "unet#prod#4")
    assert tag_message(clone, "unet#prod#4").splitlines()[:4] == [
        "Roll unet in prod back from v1.1.0 to v1.0.0",
        "",
        "Reason: It escapes",
        "Rolls-back: unet#prod#2",
    ]
    [found] = gto.api.find_versions_in_stage(str(clone.folder), "unet", "prod")
    assert found.version == "v1.0.0"
    with pytest.raises(RegistryError, match=r"only v1\.0\.0 was ever there"):
        roll_back("prod", root=clone.folder)
    with pytest.raises(RegistryError, match="nothing is there"):
        roll_back("staging", root=clone.folder)


def test_no_version_can_be_promoted_where_none_is_registered(clone: Clone):
    clone.out_of("git", "tag", "--delete", "unet@v1.0.0", "unet@v1.1.0")
    with pytest.raises(RegistryError, match=r"make register VERSION=v1\.0\.0"):
        promote("prod", root=clone.folder)


def test_a_worse_model_and_one_whose_gates_failed_are_refused(own: Clone):
    commit_scores(own, test_part([GOOD] * 8), FLOOR)
    register("v2.0.0", root=own.folder)
    promote("prod", unverified=NEVER, root=own.folder)
    commit_scores(own, test_part([POOR] * 8), FLOOR)
    register("v2.1.0", root=own.folder)
    with pytest.raises(RegistryError, match=r"worse than v2\.0\.0, which is there, by iou_pooled"):
        promote("prod", unverified=NEVER, root=own.folder)
    commit_scores(own, test_part([POOR] * 8), {"iou_pooled": 0.9})
    register("v2.2.0", root=own.folder)
    with pytest.raises(RegistryError, match=r"1 of 1 gates failed: iou_pooled is 0\.3333, but"):
        promote("prod", unverified=NEVER, root=own.folder)
    commit_scores(own, test_part([GOOD] * 7), FLOOR)
    register("v2.3.0", root=own.folder)
    with pytest.raises(RegistryError, match=r"cannot be compared with v2\.0\.0.*one test part"):
        promote("prod", unverified=NEVER, root=own.folder)
    current = read_registry(own.folder).current("prod")
    assert current is not None and current.version == "v2.0.0"


def test_a_model_is_fetched_as_it_was_with_its_hash_beside(
    released: Clone, clone: Clone, tmp_path: Path
):
    out = tmp_path / "line 3/unet.onnx"
    chosen = read_registry(clone.folder).find("v1.1.0")
    found = save_model(open_version(chosen, clone.folder), out)
    assert out.read_bytes() == (released.folder / MODEL).read_bytes()
    assert found.facts.package_version == "second"
    assert check_hash(out, out.read_bytes(), None) == found.sha256
    beside = out.with_name("unet.onnx.sha256")
    assert beside.read_text(encoding="utf-8") == f"{found.sha256}  unet.onnx\n"
    first = read_registry(clone.folder).find("v1.0.0")
    save_model(open_version(first, clone.folder), out)
    assert out.read_bytes() != (released.folder / MODEL).read_bytes()
    assert sorted(path.name for path in out.parent.iterdir()) == ["unet.onnx", "unet.onnx.sha256"]


def test_a_damaged_object_is_refused_and_nothing_is_written(own: Clone, tmp_path: Path):
    out = tmp_path / "out/unet.onnx"
    out.parent.mkdir()
    out.write_bytes(b"before")
    chosen = read_registry(own.folder).find("v1.1.0")
    for store in (own.folder.parent / "remote", own.folder / ".dvc/cache"):
        stored = object_of(own, "HEAD", store)
        content = stored.read_bytes()
        stored.chmod(0o644)
        stored.write_bytes(content[:100] + b"!" + content[101:])
    with pytest.raises(RegistryError, match="damaged"):
        save_model(open_version(chosen, own.folder), out)
    assert out.read_bytes() == b"before"
    assert [path.name for path in out.parent.iterdir()] == ["unet.onnx"]


def test_weights_of_another_run_are_refused(own: Clone, tmp_path: Path):
    weights = own.folder / "models/unet.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for stage in ("train", "evaluate"):
        own.out_of("dvc", "commit", "--quiet", "--force", stage)
    commit_outs(own, "export", "Other weights")
    with pytest.raises(RegistryError, match=r"models/unet\.safetensors there is [0-9a-f]{64}"):
        register("v2.0.0", root=own.folder)


def test_what_is_known_of_a_version_is_told(clone: Clone):
    note(clone, "v1.0.0", "bit-equal")
    promote("prod", "v1.0.0", root=clone.folder)
    found = describe_model("prod", clone.folder)
    assert (found.version, found.stages) == ("v1.0.0", ("prod",))
    assert found.verified == "bit-equal on 2026-01-31"
    assert found.gates == "0 of 0 passed"
    assert found.scores.keys() >= {"iou_macro", "interval"}
    assert found.run["seconds"] > 0
    assert found.model["sha256"] == found.registered.trailers["Model-sha"]
    assert found.model["weights_sha256"] == found.registered.trailers["Weights-sha"]
    assert [(event.tag, version) for event, version in found.history] == [("unet#prod#1", "v1.0.0")]


def ask(*arguments: str) -> tuple[int, str]:
    """What `defectseg model …` says, and its exit status."""
    result = CliRunner().invoke(app, ["model", *arguments])
    return result.exit_code, result.output


def test_the_commands_do_it_all_and_push(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    origin = tmp_path / "origin.git"
    clone.out_of("git", "clone", "--quiet", "--bare", ".", str(origin))
    clone.out_of("git", "remote", "set-url", "origin", str(origin))
    monkeypatch.chdir(clone.folder / "src")
    status, said = ask("promote", "prod", "v1.0.0")
    assert (status, "error: v1.0.0 may not be promoted" in said) == (1, True)
    status, said = ask("promote", "prod", "v1.0.0", "--unverified", NEVER)
    assert (status, "git push origin 'unet#prod#1'" in said) == (0, True)
    status, said = ask("promote", "prod", "--unverified", NEVER, "--push", "-m", "Better light")
    assert (status, "prod is v1.1.0 now, before it v1.0.0" in said) == (0, True)
    status, said = ask("show", "prod")
    assert status == 0
    assert said.startswith("v1.1.0  in prod\n")
    assert f"Verified: no, never verified; promoted all the same: {NEVER}" in said
    assert "Reason: Better light" in said
    assert "dice_pooled" in said
    status, said = ask("list")
    assert [line.split()[0] for line in said.splitlines()] == ["version", "v1.1.0", "v1.0.0"]
    assert said.splitlines()[1].endswith("prod")
    status, said = ask("rollback", "prod", "--push")
    assert (status, "prod is v1.0.0 now, before it v1.1.0" in said) == (0, True)
    pushed = clone.out_of("git", "ls-remote", "--tags", "--refs", "origin")
    assert [line.split("tags/")[1] for line in pushed.splitlines()] == [
        "unet#prod!#3",
        "unet#prod#2",
        "unet#prod#4",
        "unet@v1.0.0",
        "unet@v1.1.0",
    ]
    status, said = ask("fetch", "prod", "--out", str(tmp_path / "m.onnx"))
    assert (status, "m.onnx is v1.0.0" in said.replace("\n", "")) == (0, True)
    assert ask("fetch", "v9.0.0", "--out", str(tmp_path / "n.onnx"))[0] == 1
    clone.out_of("git", "remote", "set-url", "origin", str(tmp_path / "nothing"))
    status, said = ask("promote", "prod", "v1.1.0", "--unverified", NEVER, "--push")
    assert (status, "is made, but only here" in said) == (1, True)
