"""registry: git's tags in, versions and stages out; and GTO reads ours as we read its."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import gto.api
import pytest

from defectseg.errors import RegistryError, RevisionError
from defectseg.registry.registry import (
    Registry,
    build_registry,
    check_stage,
    check_version,
    read_registry,
)
from defectseg.registry.tags import Event, read_events, write_tag

TIME = 1_700_000_000  # of the first tag; each is a second later


def event(number: int, action: str, commit: str, name: str) -> Event:
    """A tag that gives `name`, a version or a stage, to a commit."""
    is_version = action.endswith("register")
    return Event(
        tag=f"tag {number}",
        action=action,
        version=name if is_version else None,
        stage=None if is_version else name,
        number=number,
        commit=commit,
        by="Ann <ann@example.com>",
        at=datetime.fromtimestamp(TIME + number, UTC),
        message="",
    )


def prod(*steps: str) -> Registry:
    """Versions v1 of a, v2 of b, v3 of c; then prod: `+a` puts in, `-a` takes out.

    `!v2` takes the version away.
    """
    events = [event(i, "register", c, f"v{i}.0.0") for i, c in enumerate("abc", start=1)]
    for number, step in enumerate(steps, start=4):
        sign, what = step[0], step[1:]
        if sign == "!":
            events.append(event(number, "deregister", "", f"{what}.0.0"))
        else:
            action = "unassign" if sign == "-" else "assign"
            events.append(event(number, action, what, "prod"))
    return build_registry(events)


@pytest.mark.parametrize(
    ("steps", "pile"),
    [
        ((), []),
        (("+a",), ["v1.0.0"]),
        (("+a", "+b"), ["v1.0.0", "v2.0.0"]),
        (("+a", "+b", "-b", "+a"), ["v1.0.0"]),
        (("+a", "+b", "+c", "-c", "+b"), ["v1.0.0", "v2.0.0"]),
        (("+a", "+b", "+c", "-c", "+b", "-b", "+a"), ["v1.0.0"]),
        (("+a", "+b", "-b", "+a", "+c"), ["v1.0.0", "v3.0.0"]),
        (("+a", "+b", "+a"), ["v2.0.0", "v1.0.0"]),  # an older one promoted again is no roll back
        (("+a", "+b", "-b"), ["v1.0.0"]),
        (("+a", "+b", "-a"), ["v2.0.0"]),
        (("+a", "-a"), []),
        (("+a", "+b", "!v2"), ["v1.0.0"]),
        (("+x",), []),  # GTO can assign a commit that has no version
    ],
)
def test_what_is_in_a_stage_lies_upon_what_was_there_before(
    steps: tuple[str, ...], pile: list[str]
):
    assert [placed.version for placed in prod(*steps).placed("prod")] == pile


def test_a_name_is_a_version_or_a_stage():
    registry = prod("+a", "+b")
    assert registry.find("prod").version == "v2.0.0"
    assert registry.find("v1.0.0").version == "v1.0.0"
    with pytest.raises(RegistryError, match=r"'staging' is no version.*v1\.0\.0.*stages: prod"):
        registry.find("staging")
    with pytest.raises(RegistryError, match="git fetch --tags"):
        registry.find("v9.0.0")
    with pytest.raises(RegistryError, match="stages: none"):
        prod("+a", "-a").find("prod")


@pytest.mark.parametrize("version", ["1.0.0", "v1", "v1.0", "v01.0.0", "v1.0.0+1", "", "v1.0.0 "])
def test_a_version_is_a_semantic_one_with_a_v(version: str):
    with pytest.raises(RegistryError, match=r"v1\.0\.0"):
        check_version(version)
    check_version("v1.20.3-rc.1")


@pytest.mark.parametrize("stage", ["", "-x", "a b", "v1.0.0", "prod#1", "../x", "a\n"])
def test_a_stage_is_a_word(stage: str):
    with pytest.raises(RegistryError, match="is no stage"):
        check_stage(stage)
    check_stage("prod-2")


Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository of two commits, `one` and `two`; each call is a second later."""
    monkeypatch.setenv("HOME", str(tmp_path))
    moments = iter(range(TIME, TIME + 1000))

    def run(*arguments: str) -> str:
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{next(moments)} +0000")
        done = subprocess.run(
            ["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    run("config", "--global", "user.name", "Ann Ö")
    run("config", "--global", "user.email", "ann@example.com")
    run("init", "--quiet")
    for name in ("one", "two"):
        run("commit", "--quiet", "--allow-empty", "-m", name)
        run("branch", name)
    return run


def test_our_tags_are_read_as_they_were_written(git: Git, tmp_path: Path):
    commit = git("rev-parse", "one")
    message = "Register\n\n# no comment\n\nModel-sha: 12"
    write_tag("unet@v1.0.0", commit, message, tmp_path)
    [found] = read_events(tmp_path)
    assert (found.tag, found.action, found.version) == ("unet@v1.0.0", "register", "v1.0.0")
    assert (found.commit, found.by) == (commit, "Ann Ö <ann@example.com>")
    assert (found.message, found.subject) == (message, "Register")
    assert found.trailers == {"Model-sha": "12"}


def test_a_tag_is_never_made_twice(git: Git, tmp_path: Path):
    commit = git("rev-parse", "one")
    write_tag("unet@v1.0.0", commit, "One", tmp_path)
    with pytest.raises(RegistryError, match="already exists"):
        write_tag("unet@v1.0.0", commit, "Two", tmp_path)
    assert read_events(tmp_path)[0].message == "One"


def test_a_tag_needs_a_name(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    git("config", "--global", "user.useConfigOnly", "true")
    git("config", "--global", "--unset", "user.email")
    with pytest.raises(RegistryError, match=r"user\.email"):
        write_tag("unet@v1.0.0", git("rev-parse", "one"), "One", tmp_path)


def test_tags_about_other_things_are_left_out(git: Git, tmp_path: Path):
    git("tag", "-a", "v1.0.0", "-m", "A release of the code")
    git("tag", "-a", "other@v1.0.0", "-m", "Another model")
    git("tag", "-a", "unet@latest", "-m", "No version")
    git("tag", "unet@v1.0.0")  # without author and time: GTO leaves those out too
    git("tag", "unet#prod#1", "one")
    git("tag", "-a", "unet@v2.0.0", "-m", "Ours")
    assert [found.tag for found in read_events(tmp_path)] == ["unet@v2.0.0"]


def test_tags_that_gto_made_are_understood(git: Git, tmp_path: Path):
    def gto_at(call: Callable[..., object], *arguments: str, **more: object) -> None:
        git("status")  # a second later
        call(str(tmp_path), *arguments, **more)

    gto_at(gto.api.register, "unet", "one", version="v1.0.0")
    gto_at(gto.api.register, "unet", "two", version="v1.1.0", message="Better")
    gto_at(gto.api.assign, "unet", "prod", version="v1.0.0")
    gto_at(gto.api.assign, "unet", "prod", version="v1.1.0")
    registry = read_registry(tmp_path)
    assert list(registry.versions) == ["v1.0.0", "v1.1.0"]
    assert registry.versions["v1.1.0"].message == "Better"
    assert [one.version for one in registry.placed("prod")] == ["v1.0.0", "v1.1.0"]
    assert registry.next_number() == 3
    gto_at(gto.api.unassign, "unet", stage="prod", version="v1.1.0")
    assert [one.version for one in read_registry(tmp_path).placed("prod")] == ["v1.0.0"]
    gto_at(gto.api.deregister, "unet", version="v1.0.0")
    registry = read_registry(tmp_path)
    assert (list(registry.versions), registry.current("prod")) == (["v1.1.0"], None)


def test_gto_understands_our_tags(git: Git, tmp_path: Path):
    one, two = git("rev-parse", "one"), git("rev-parse", "two")
    for tag, commit in (
        ("unet@v1.0.0", one),
        ("unet@v1.1.0", two),
        ("unet#prod#1", one),
        ("unet#prod#2", two),
        ("unet#prod!#3", two),
        ("unet#prod#4", one),
    ):
        git("status")
        write_tag(tag, commit, f"Make {tag}", tmp_path)
    [found] = gto.api.find_versions_in_stage(str(tmp_path), "unet", "prod")
    assert found.version == "v1.0.0"
    shown = {one["version"]: one["commit_hexsha"] for one in gto.api.show(str(tmp_path), "unet")}
    assert shown == {"v1.0.0": one, "v1.1.0": two}


def test_tags_of_one_second_are_in_the_order_of_their_numbers(git: Git, tmp_path: Path):
    git("tag", "-a", "unet@v1.0.0", "-m", "1", "one")
    git("tag", "-a", "unet@v1.1.0", "-m", "1", "two")
    for number, commit in ((9, "one"), (10, "two")):
        write_tag(f"unet#prod#{number}", commit, "At once", tmp_path)
    current = read_registry(tmp_path).current("prod")
    assert current is not None and current.version == "v1.1.0"


def test_where_there_is_no_repository_there_are_no_tags(tmp_path: Path):
    with pytest.raises(RevisionError, match="not a git repository"):
        read_events(tmp_path)
