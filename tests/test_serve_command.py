"""`defectseg serve`: its help, its faults and its exit statuses."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from defectseg.service.settings import Settings
from live_service import CODE


def serve(folder: Path, *flags: str, code: str = CODE, **variables: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a `defectseg serve` that ends by itself."""
    kept = {name: value for name, value in os.environ.items() if "DEFECTSEG_" not in name}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "serve", *flags],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env=kept | variables | {"COLUMNS": "200"},
    )
    return done.returncode, done.stdout, done.stderr


def test_help_lists_every_setting_with_flag_variable_default_and_meaning(tmp_path: Path):
    status, shown, _ = serve(tmp_path, "--help")
    assert status == 0
    text = re.sub(r"[│\s]+", " ", shown)
    for name, field in Settings.model_fields.items():
        default = "none" if field.default in (None, ()) else field.default
        meaning = f"{field.description} (DEFECTSEG_{name.upper()}; default {default})"
        flag = f"--{name.replace('_', '-')}"
        assert re.search(rf"{flag} [^()]{{1,60}} {re.escape(meaning)}", text), name


def test_wrong_settings_are_told_all_at_once(tmp_path: Path):
    status, _, told = serve(tmp_path, "--port", "x", "--slots=0", DEFECTSEG_WORKRES="1")
    assert status == 2
    lines = [line.strip() for line in told.splitlines()]
    assert lines[0] == "error: 3 settings cannot be used:"
    assert lines[1] == "DEFECTSEG_WORKRES: there is no such setting; is DEFECTSEG_WORKERS meant?"
    assert [line.split(" is ")[0] for line in lines[2:4]] == ["--port", "--slots"]


def test_a_flag_that_does_not_exist_is_refused(tmp_path: Path):
    status, _, told = serve(tmp_path, "--prot", "1")
    assert status == 2
    assert "No such option: --prot" in told


def test_without_a_model_it_says_what_makes_one(tmp_path: Path):
    status, shown, told = serve(tmp_path, "--port", "0")
    (line,) = told.splitlines()
    assert (status, shown) == (1, "")
    assert '"code": "MODEL_LOAD_FAILED"' in line
    assert "models/unet.onnx: no such file; `make run` makes models/unet.onnx" in line
    assert "`dvc pull models/unet.onnx` fetches it" in line


@pytest.mark.parametrize("content", [b"", b"no model", bytes(10_000)])
def test_what_is_no_model_does_not_start(tmp_path: Path, content: bytes):
    (tmp_path / "a.onnx").write_bytes(content)
    status, _, told = serve(tmp_path, "--port", "0", "--model", "a.onnx")
    (line,) = told.splitlines()
    assert status == 1
    assert '"code": "MODEL_LOAD_FAILED"' in line and "a.onnx" in line


def test_a_taken_port_is_told_before_the_model_is_looked_for(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, told = serve(tmp_path, DEFECTSEG_PORT=str(port))
    (line,) = told.splitlines()
    assert status == 1
    assert '"code": "ADDRESS_UNUSABLE"' in line
    assert f"cannot listen at '127.0.0.1' port {port}: Address already in use" in line


def test_a_host_that_is_none_is_told(tmp_path: Path):
    status, _, told = serve(tmp_path, "--host", "no.such.host.invalid")
    assert status == 1
    assert "cannot listen at 'no.such.host.invalid' port 8000: " in told


@pytest.mark.parametrize("package", ["pydantic_settings", "uvicorn"])
def test_without_the_packages_it_says_how_to_get_them(tmp_path: Path, package: str):
    code = f"import sys; sys.modules[{package!r}] = None; {CODE}"
    status, _, told = serve(tmp_path, code=code)
    assert status == 1
    assert told == (
        f"error: the service needs the package {package}, which is not installed: "
        "pip install 'defectseg[service]'\n"
    )


def test_without_the_packages_the_other_commands_can_still_be_seen(tmp_path: Path):
    code = f"import sys; sys.modules['pydantic_settings'] = None; {CODE.replace('app()', '')}"
    shown = subprocess.run(
        [sys.executable, "-c", f"{code} app(['--help'])"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert shown.returncode == 0
    assert " serve " in shown.stdout and " predict " in shown.stdout
