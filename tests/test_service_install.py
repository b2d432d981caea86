"""The slim install: all that predicting and serving import, no torch; `make serve` makes it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from PIL import Image

from defectseg.packages import read_dependencies, read_pins
from defectseg.requirement import canonical
from drawn_model import read_lines, write_model
from live_service import SECONDS, LiveService, read_log
from picture_files import encode
from reach import PACKAGE, ROOT, SRC, packages_of, reached

PROJECT = ROOT / "pyproject.toml"
PINS, _ = read_pins(ROOT / "requirements-service.txt")
PIPELINE, _ = read_pins(ROOT / "requirements.txt")
NEEDED = ("LICENSE", "Makefile", "README.md", "pyproject.toml", "requirements-service.txt")
# Imported only when they are asked for, with a message where they are missing.
ON_REQUEST = {"openvino"}
# Needed without an import of ours.
UNSEEN = {
    "starlette": "FastAPI is made of it; the floor keeps out versions with known faults",
}


def reach_of(*modules: str) -> set[str]:
    """The packages of others that some modules import."""
    paths = set().union(*(reached(SRC / PACKAGE / module) for module in modules))
    return packages_of(paths) - sys.stdlib_module_names - {PACKAGE}


def distributions_of(packages: set[str]) -> set[str]:
    """Import names → the canonical names of what installs them."""
    known = packages_distributions()
    return {canonical(name) for package in packages for name in known.get(package, [package])}


def declared(*extras: str) -> set[str]:
    """What pyproject.toml asks for by name, with some extras."""
    return {requirement.name for requirement in read_dependencies(PROJECT, extras)}


def test_predicting_needs_only_the_dependencies():
    assert distributions_of(reach_of("cli.py", "commands/predict.py") - ON_REQUEST) == declared()


def test_serving_needs_only_the_dependencies_and_the_extra_service():
    imported = distributions_of(reach_of("commands/serve.py", "service/server.py") - ON_REQUEST)
    otel = {name for name in imported if name.startswith("opentelemetry")}
    assert imported - otel <= declared("service")
    assert declared("service") - declared() - imported <= UNSEEN.keys()


def test_traces_need_only_the_extra_for_them():
    assert declared("otel") - declared() == {
        "opentelemetry-exporter-otlp-proto-http",
        "opentelemetry-sdk",
    }
    assert not {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"} & PINS.keys()


def test_the_slim_install_has_neither_torch_nor_dvc():
    assert not PINS.keys() & {
        "torch",
        "torchvision",
        "dvc",
        "fastai",
        "openvino",
        "onnx",
        "faiss-cpu",
    }
    assert len(PINS) <= 40


def test_the_service_runs_the_versions_that_the_pipeline_was_measured_with():
    both = PINS.keys() & PIPELINE.keys()
    assert {"numpy", "onnxruntime", "pillow", "pydantic", "scipy"} <= both
    assert {name: PINS[name] for name in both} == {name: PIPELINE[name] for name in both}


@pytest.mark.parametrize(
    ("name", "floor"),
    [("starlette", (1, 3, 1)), ("python-multipart", (0, 0, 31)), ("pillow", (12, 3))],
)
def test_versions_with_known_faults_are_kept_out(name: str, floor: tuple[int, ...]):
    assert tuple(int(part) for part in PINS[name].split(".")) >= floor


def test_the_message_of_a_missing_package_names_an_extra_that_exists():
    text = (SRC / PACKAGE / "commands/serve.py").read_text(encoding="utf-8")
    extras = re.findall(r"defectseg\[(\w+)\]", text)
    assert extras
    for extra in extras:
        assert declared(extra)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing was installed or run."""
    for name in NEEDED:
        shutil.copy2(ROOT / name, tmp_path / name)
    hidden = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(SRC / PACKAGE, tmp_path / "src" / PACKAGE, ignore=hidden)
    return tmp_path


def test_make_serve_without_a_model_says_which_command_makes_one(checkout: Path):
    done = subprocess.run(
        ["make", "serve"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "models/unet.onnx" in done.stderr
    assert "`make run`" in done.stderr
    assert not (checkout / ".venv-service").exists()
    assert not (checkout / ".venv").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_make_serve_installs_the_service_alone_and_serves(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
):
    write_model(checkout / "models/unet.onnx")
    settings = {"DEFECTSEG_PORT": "0", "DEFECTSEG_DRAIN_DELAY_S": "0"}
    monkeypatch.delenv("PYTHONPATH", raising=False)  # what it names would count as installed
    process = subprocess.Popen(
        ["make", "serve", f"PYTHON={sys.executable}"],
        cwd=checkout,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    service = LiveService(process)
    reader = threading.Thread(target=read_log, args=(service,), daemon=True)
    reader.start()
    try:
        service.port = service.wait_for(lambda: service.events("listening"), 800)[0]["port"]
        red = encode(Image.new("RGB", (16, 16), "red"))
        assert service.analyze(red).json()["defects"][0]["defect_class"] == "crack"
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
        process.wait(SECONDS)
        reader.join(SECONDS)
        assert service.events("stopped")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(SECONDS)
        service.client.close()
        if process.stderr:
            process.stderr.close()
    check_install(checkout)


def check_install(checkout: Path) -> None:
    """What `make serve` installed is what the file says, and `defectseg predict` works with it."""
    tools = checkout / ".venv-service/bin"
    listed = subprocess.run(
        [tools / "pip", "list", "--format=freeze", "--exclude-editable"],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = dict(line.split("==") for line in listed.stdout.split())
    found = {canonical(name): version for name, version in installed.items()}
    assert {name: found[name] for name in found if name not in {"pip", "setuptools"}} == PINS
    assert not (checkout / ".venv").exists()
    (checkout / "pictures").mkdir()
    (checkout / "pictures/a.png").write_bytes(encode(Image.new("RGB", (16, 16), "red")))
    done = subprocess.run(
        [tools / "defectseg", "predict", "pictures"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    assert read_lines(done.stdout)[0]["defects"][0]["defect_class"] == "crack"
    assert not (checkout / ".venv").exists()
