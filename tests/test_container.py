"""The steps of the Dockerfile, done in a folder: what they leave serves, read-only, as no root."""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from dockerfile import Built, build
from drawn_model import write_model
from live_service import SECONDS, LiveService, read_log
from picture_files import encode
from reach import PACKAGE, ROOT, SRC

CONTEXT = ("LICENSE", "README.md", "pyproject.toml", "requirements-service.txt")
# What a container's user is denied and ours is not: to read where this Python lies.
READS_ALL = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it installs 35 packages


@pytest.fixture(scope="module")
def context() -> Iterator[Path]:
    """The checkout as .dockerignore lets the builder see it, with a model."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in CONTEXT:
            shutil.copy2(ROOT / file, folder / file)
        hidden = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(SRC / PACKAGE, folder / "src" / PACKAGE, ignore=hidden)
        write_model(folder / "models/unet.onnx")
        yield folder


@pytest.fixture(scope="module")
def image(context: Path) -> Iterator[Built]:
    """The image with its model baked in; nobody may write to it."""
    root = Path(tempfile.mkdtemp(prefix="image"))  # pytest's own folders are for one user alone
    try:
        built = build(context, root, "baked")
        allow_writing(root, False)
        yield built
    finally:
        allow_writing(root, True)
        shutil.rmtree(root)


def allow_writing(root: Path, allowed: bool) -> None:
    """chmod -R a-w, or back; everyone may read."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode) | stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
            mode |= 0o111 if path.is_dir() else 0
            path.chmod(mode | stat.S_IWUSR if allowed else mode & ~0o222)


def as_user(user: str) -> list[str]:
    """The start of a command that runs as another user; empty where only root can do that."""
    if os.getuid() != 0:
        return []
    uid, _, gid = user.partition(":")
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *READS_ALL, "--"]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def is_well(image: Built, environment: dict[str, str]) -> bool:
    """What the HEALTHCHECK says."""
    command = [*as_user(image.user), *image.health]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, check=False)
    return done.returncode == 0


def names_below(root: Path) -> dict[str, int]:
    """Every file and when it was written."""
    return {str(path): path.lstat().st_mtime_ns for path in root.rglob("*")}


def test_the_container_serves_is_healthy_and_stops_when_it_is_told(image: Built, context: Path):
    before = names_below(image.root)
    environment = image.environment | {"DEFECTSEG_PORT": str(free_port())}
    assert "HOME" not in environment
    assert not is_well(image, environment)
    command = [*as_user(image.user), *image.command]
    process = subprocess.Popen(
        command, env=environment, cwd="/", stderr=subprocess.PIPE, text=True, errors="replace"
    )
    service = LiveService(process)
    reader = threading.Thread(target=read_log, args=(service,), daemon=True)
    reader.start()
    try:
        (event, *_) = service.wait_for(lambda: service.events("listening"))
        assert event["host"] == "0.0.0.0"
        service.port = event["port"]
        assert service.port == int(environment["DEFECTSEG_PORT"])
        service.wait_for(lambda: is_well(image, environment))
        red = encode(Image.new("RGB", (16, 16), "red"))
        assert service.analyze(red).json()["defects"][0]["defect_class"] == "crack"
        for file in (context / "src" / PACKAGE / "service/page").iterdir():
            address = "/" if file.name == "index.html" else f"/page/{file.name}"
            assert service.client.get(service.url + address).status_code == 200, address
        if os.getuid() == 0:
            uids = next(line for line in status_of(process.pid) if line.startswith("Uid:"))
            assert uids.split()[1:] == ["10001"] * 4
        assert service.stop() == 0
        assert service.events("stopped")
        assert [line for line in service.lines if not line.startswith("{")] == []
        assert not is_well(image, environment)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(SECONDS)
        reader.join(SECONDS)
        service.client.close()
        if process.stderr:
            process.stderr.close()
    assert names_below(image.root) == before


def status_of(process: int) -> list[str]:
    return Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()


def test_the_image_has_only_the_service_and_its_model(image: Built):
    assert {path.name for path in image.root.iterdir()} == {"opt", "models"}
    (site,) = image.root.glob("opt/defectseg/lib/python3*/site-packages")
    installed = {path.name.partition("-")[0].lower() for path in site.glob("*.dist-info")}
    assert PACKAGE in installed
    assert (
        installed & {"torch", "dvc", "fastai", "openvino", "pytest", "pip", "setuptools"} == set()
    )
    assert (site / PACKAGE / "service/server.py").is_file()


def test_a_container_without_a_model_ends_and_says_so(image: Built):
    environment = image.environment | {"DEFECTSEG_MODEL": "/models/none.onnx"}
    environment["DEFECTSEG_PORT"] = "0"
    done = subprocess.run(
        [*as_user(image.user), *image.command],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert "MODEL_LOAD_FAILED" in done.stderr
