"""Dockerfile and compose.yaml: their checkers accept them, and they promise nothing too much."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from defectseg.service.settings import Settings
from reach import ROOT

TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
VERSION = re.compile(r":v?\d+\.\d+\.\d+(-[a-z]+)*$")
each_service = pytest.mark.parametrize("name", SERVICES)


def test_the_dockerfile_passes_hadolint():
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    hadolint = hadolint or shutil.which("hadolint")
    if hadolint is None and not os.environ.get("CI"):
        pytest.skip("hadolint is not installed: `make test` installs it")
    done = subprocess.run(
        [hadolint or "hadolint", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_yaml_is_what_the_compose_specification_says():
    filled = VARIABLE.sub(r"\2", TEXT)
    assert "$" not in filled
    resolved = yaml.safe_dump(yaml.safe_load(filled))  # the checker knows no merge key `<<`
    assert set(PyCompose.from_yaml(resolved).service_names()) == set(SERVICES)


def test_the_checker_of_compose_files_knows_a_wrong_one():
    with pytest.raises(ValueError, match="reed_only"):
        PyCompose.from_yaml("services: {a: {image: b, reed_only: true}}")


@each_service
def test_a_container_may_do_no_more_than_it_must(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["pids_limit"]
    assert all(volume.endswith(":ro") for volume in service["volumes"] if volume[0] == ".")


@each_service
def test_images_have_one_version_and_ports_are_open_to_this_machine_alone(name: str):
    assert VERSION.search(SERVICES[name]["image"])
    assert all("127.0.0.1" in port.partition(":8000")[0] for port in SERVICES[name]["ports"])


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "defectseg"])
def test_a_container_is_asked_whether_it_is_well(name: str):
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"  # no shell
    assert check["test"][-1].startswith("http://127.0.0.1:")
    assert check["retries"] == 3


def test_a_stop_waits_longer_than_the_service_drains():
    service = SERVICES["defectseg"]
    environment = service["environment"]
    drain = float(environment["DEFECTSEG_DRAIN_DELAY_S"])
    drain += float(environment["DEFECTSEG_DRAIN_TIMEOUT_S"])
    assert float(service["stop_grace_period"].removesuffix("s")) > drain
    defaults = Settings()
    assert drain == defaults.drain_delay_s + defaults.drain_timeout_s


def test_every_setting_that_the_containers_set_exists():
    named = set(re.findall(r"\bDEFECTSEG_([A-Z0-9_]+)=", DOCKERFILE))
    named |= {key.removeprefix("DEFECTSEG_") for key in SERVICES["defectseg"]["environment"]}
    assert {name.lower() for name in named} <= set(Settings.model_fields)
    assert {"HOST", "MODEL", "PORT"} <= named


def test_prometheus_scrapes_the_service_where_it_listens():
    config = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text(encoding="utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    (target,) = jobs["defectseg"]["static_configs"][0]["targets"]
    assert target == "defectseg:8000"
    assert "\nEXPOSE 8000\n" in DOCKERFILE
    assert "DEFECTSEG_PORT=8000" in DOCKERFILE
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["prometheus"]["volumes"])
    for name in ("prometheus.yml", *config["rule_files"]):
        assert mounts[f"./deploy/{name}"] == f"/etc/prometheus/{name}"
        assert (ROOT / "deploy" / name).is_file()


def test_the_image_is_slim_small_and_not_root():
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)) == {
        "python:3.11.14-slim-trixie",
        "service",
    }
    assert "\nUSER 10001:10001\n" in DOCKERFILE
    assert '\nCMD ["defectseg", "serve"]\n' in DOCKERFILE  # no shell: SIGTERM reaches the process
    assert "\nSTOPSIGNAL SIGTERM\n" in DOCKERFILE
    assert "curl" not in DOCKERFILE


def test_the_version_is_told_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"\nARG VERSION={project['version']}\n" in DOCKERFILE
    assert SERVICES["defectseg"]["image"] == f"defectseg:{project['version']}"


def test_only_what_the_dockerfile_copies_is_sent_to_the_builder():
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M):
        copied |= set(line.split()[:-1])
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert {line[1:] for line in patterns if line.startswith("!")} == copied
    assert {"**/__pycache__", "**/*.pyc"} == set(patterns[-2:])
