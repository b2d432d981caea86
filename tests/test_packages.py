"""packages and stage check_packages: requirements.txt says what is installed."""

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from defectseg.errors import PackagesError
from defectseg.packages import check_packages, read_packages
from defectseg.requirement import Requirement, holds, is_needed, parse_requirement

ROOT = Path(__file__).parents[1]
STAGE = ROOT / "src/stages/check_packages.py"
PYTHON = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.7",
    "python_version": "3.11",
    "sys_platform": "linux",
    "extra": "Socks_Proxy",
}


def write_package(site: Path, name: str, version: str, *requires: str) -> None:
    """Write the metadata of an installed package, as pip leaves it in site-packages."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    (folder / "METADATA").write_text("\n".join([*lines, "", ""]), encoding="utf-8")


def write_project(folder: Path, *dependencies: str, **extras: Sequence[str]) -> Path:
    """Write a pyproject.toml with these dependencies, and those of some extras."""
    path = folder / "pyproject.toml"
    lines = ["[project]", "name = 'mine'", f"dependencies = {list(dependencies)}"]
    lines += ["[project.optional-dependencies]"]
    lines += [f"{name} = {list(wanted)}" for name, wanted in extras.items()]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def run_stage(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the stage script in a folder, with these options of Python."""
    command = [sys.executable, *options, str(STAGE)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site-packages of our own."""
    return tmp_path / "site-packages"


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """A requirements.txt that pins numpy and tqdm."""
    path = tmp_path / "requirements.txt"
    path.write_text("numpy==2.4.5\ntqdm==4.70.1\n", encoding="utf-8")
    return path


def test_packages_are_found_through_the_packages_that_need_them(tmp_path: Path, site: Path):
    write_package(site, "a", "1.0", "b>=2", "c (<5,>=3)")
    write_package(site, "b", "2.1", "c")
    write_package(site, "c", "3.0", "a")
    write_package(site, "nobody-asks", "1.0")
    found = read_packages(write_project(tmp_path, "a~=1.0"), path=[str(site)])
    assert found == {"a": "1.0", "b": "2.1", "c": "3.0"}


def test_names_are_canonical_and_sorted(tmp_path: Path, site: Path):
    write_package(site, "ruamel.yaml", "0.19.1")
    write_package(site, "Flufl_Lock", "9.2.0")
    found = read_packages(write_project(tmp_path, "Ruamel_YAML", "flufl.lock"), path=[str(site)])
    assert list(found) == ["flufl-lock", "ruamel-yaml"]


def test_local_version_tags_are_left_out(tmp_path: Path, site: Path):
    write_package(site, "torch", "2.15.0+cu130")
    assert read_packages(write_project(tmp_path, "torch"), path=[str(site)]) == {"torch": "2.15.0"}


def test_an_extra_brings_its_packages_only_when_asked_for(tmp_path: Path, site: Path):
    write_package(site, "store", "1.0", "boto>=1; extra == 'S3_Fast'", "azure; extra == 'azure'")
    write_package(site, "boto", "1.5")
    path = [str(site)]
    assert list(read_packages(write_project(tmp_path, "store"), path=path)) == ["store"]
    assert list(read_packages(write_project(tmp_path, "store[s3-fast]"), path=path)) == [
        "boto",
        "store",
    ]


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_extras_add_up_whoever_asks_and_in_whatever_order(
    tmp_path: Path, site: Path, order: Sequence[str]
):
    write_package(site, "first", "1.0", "store")
    write_package(site, "second", "1.0", "store[all]")
    write_package(site, "store", "1.0", "store[s3]; extra == 'all'", "boto; extra == 's3'")
    write_package(site, "boto", "1.5")
    found = read_packages(write_project(tmp_path, *order), path=[str(site)])
    assert list(found) == ["boto", "first", "second", "store"]


def test_what_only_a_platform_needs_is_left_out_with_all_it_leads_to(tmp_path: Path, site: Path):
    here = f"sys_platform == '{sys.platform}'"
    write_package(site, "torch", "2.15.0", f"cuda[nvcc]; {here} and python_version > '3'", "numpy")
    write_package(site, "cuda", "13.0", "nvcc; extra == 'nvcc'", "numpy")
    write_package(site, "nvcc", "13.1")
    write_package(site, "numpy", "2.4.6")
    found = read_packages(write_project(tmp_path, "torch"), path=[str(site)])
    assert list(found) == ["numpy", "torch"]


def test_of_two_installed_versions_the_one_that_is_imported_counts(tmp_path: Path):
    write_package(tmp_path / "front", "numpy", "2.4.6")
    write_package(tmp_path / "back", "numpy", "1.26.0")
    path = [str(tmp_path / "front"), str(tmp_path / "back")]
    assert read_packages(write_project(tmp_path, "numpy"), path=path) == {"numpy": "2.4.6"}


def test_missing_packages_are_all_named_with_who_asks_and_what_to_do(tmp_path: Path, site: Path):
    write_package(site, "requests", "2.34.2", "idna", "socks; extra == 'socks'")
    (site / "numpy-2.4.6.dist-info").mkdir()  # what an interrupted uninstall leaves
    with pytest.raises(PackagesError) as error:
        read_packages(write_project(tmp_path, "numpy", "requests"), path=[str(site)])
    message = str(error.value)
    assert "  idna (for requests)\n  numpy (for pyproject.toml)\n" in message
    assert "socks" not in message
    assert "Is .venv active?" in message
    assert "make -B setup" in message


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("python_version < '3.9'", False),
        ("python_version >= '3.9'", True),  # as numbers: as text 3.11 comes before 3.9
        ("'3.9' < python_version", True),
        ("python_version == '3.11.0'", True),
        ("python_version == '3.*'", True),
        ("python_version != '3.11.*'", False),
        ("python_version == '3.1.*'", False),
        ("python_version in '3.10, 3.11'", True),
        ("python_full_version > '3.11.10'", False),
        ("python_full_version < '3.11.8rc1'", True),
        ("sys_platform == 'win32'", False),
        ("platform_system != 'Windows'", True),
        ("'64' in platform_machine", True),
        ("os_name not in 'nt java'", True),
        ("implementation_name == 'cpython'", True),
        ("platform_python_implementation == 'PyPy'", False),
        ("extra == 'socks.proxy'", True),
        ("extra == 'socks'", False),
        # `and` binds tighter than `or`
        ("extra == 'x' and os_name == 'x' or python_version > '3'", True),
        ("extra == 'x' and (os_name == 'x' or python_version > '3')", False),
    ],
)
def test_markers_are_evaluated_as_pep_508_says(marker: str, expected: bool):
    assert holds(ast.parse(marker, mode="eval").body, PYTHON) is expected


@pytest.mark.parametrize(
    "marker",
    ["python_version ~= '3.8'", "__import__('os')", "colour == 'red'", "python_version > 'x'"],
)
def test_a_marker_that_cannot_be_read_is_an_error_that_names_it(marker: str):
    with pytest.raises(PackagesError) as error:
        is_needed(parse_requirement(f"b; {marker}", "a"))
    assert f"a requires b when `{marker}`" in str(error.value)


@pytest.mark.parametrize(
    ("line", "name", "extras", "marker"),
    [
        ("numpy", "numpy", [], ""),
        ("Zope.Interface (>=5.0)", "zope-interface", [], ""),
        (
            "aiobotocore[boto3, Fast_IO]<4,>=3 ; extra == 's3'",
            "aiobotocore",
            ["boto3", "fast-io"],
            "extra == 's3'",
        ),
        ("b @ https://example.org/b-1.0.whl ; os_name == 'nt'", "b", [], "os_name == 'nt'"),
    ],
)
def test_every_form_of_a_requirement_is_read(
    line: str, name: str, extras: Sequence[str], marker: str
):
    assert parse_requirement(line, "a") == Requirement(name, frozenset(extras), marker, "a")


def test_a_line_that_is_no_requirement_is_an_error_that_shows_it():
    with pytest.raises(PackagesError, match="a requires 'numpy scipy'"):
        parse_requirement("numpy scipy", "a")


def test_a_project_without_dependencies_is_an_error_that_names_the_file(tmp_path: Path):
    path = tmp_path / "pyproject.toml"
    path.write_text("[project]\n", encoding="utf-8")
    with pytest.raises(PackagesError, match=r"pyproject\.toml: project\.dependencies"):
        read_packages(path)


def test_only_the_extras_that_are_wanted_count(tmp_path: Path, site: Path):
    for name in ("numpy", "dvc", "fastapi"):
        write_package(site, name, "1.0")
    project = write_project(tmp_path, "numpy", pipeline=["dvc"], service=["fastapi"])
    path = [str(site)]
    assert list(read_packages(project, path=path)) == ["numpy"]
    assert list(read_packages(project, ["pipeline"], path)) == ["dvc", "numpy"]
    assert list(read_packages(project, ["service"], path)) == ["fastapi", "numpy"]
    both = read_packages(project, ["pipeline", "service"], path)
    assert list(both) == ["dvc", "fastapi", "numpy"]


def test_an_extra_that_is_not_declared_is_an_error_that_names_it(tmp_path: Path):
    project = write_project(tmp_path, "numpy", service=[])
    with pytest.raises(PackagesError, match=r"optional-dependencies\.pipeline cannot be read"):
        read_packages(project, ["pipeline"])


@pytest.mark.parametrize(
    "text",
    ["numpy==2.4.6\ntqdm==4.70.1\n", "# ours\r\ntqdm==4.70.1  # bars\r\n\r\nnumpy==2.4.6"],
)
def test_a_file_that_says_what_is_installed_is_not_touched(requirements: Path, text: str):
    requirements.write_bytes(text.encode())
    before = requirements.stat()
    check = check_packages({"numpy": "2.4.6", "tqdm": "4.70.1"}, requirements, "freeze")
    after = requirements.stat()
    assert requirements.read_bytes() == text.encode()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert check.differences == ()
    assert check.summary() == f"2 packages, as {requirements} says"


def test_freeze_writes_what_is_installed_and_names_every_difference(requirements: Path):
    check = check_packages({"numpy": "2.4.6", "attrs": "26.1.0"}, requirements, "freeze")
    assert requirements.read_text(encoding="utf-8") == "attrs==26.1.0\nnumpy==2.4.6\n"
    assert check.summary().splitlines() == [
        f"2 packages, {requirements} written anew:",
        "  attrs: not in requirements.txt, installed is 26.1.0",
        "  numpy: requirements.txt says 2.4.5, installed is 2.4.6",
        "  tqdm: requirements.txt says 4.70.1, no longer needed",
    ]


def test_fail_names_every_difference_and_leaves_the_file(requirements: Path):
    before = requirements.read_bytes()
    with pytest.raises(PackagesError) as error:
        check_packages({"numpy": "2.4.6", "attrs": "26.1.0"}, requirements, "fail")
    message = str(error.value)
    assert "attrs: not in requirements.txt, installed is 26.1.0" in message
    assert "numpy: requirements.txt says 2.4.5, installed is 2.4.6" in message
    assert "tqdm: requirements.txt says 4.70.1, no longer needed" in message
    assert "make -B setup" in message
    assert "on_mismatch: freeze" in message
    assert requirements.read_bytes() == before


def test_a_line_that_pins_nothing_is_a_difference(requirements: Path):
    requirements.write_text("numpy>=2\ntqdm==4.70.1\ntqdm==4.70.2\n", encoding="utf-8")
    with pytest.raises(PackagesError) as error:
        check_packages({"tqdm": "4.70.1"}, requirements, "fail")
    message = str(error.value)
    assert "requirements.txt line 1: `numpy>=2` is not a canonical name==version" in message
    assert "requirements.txt line 3: `tqdm==4.70.2` names a package again" in message


def test_a_file_that_is_not_there_is_written_or_an_error(tmp_path: Path):
    path = tmp_path / "requirements.txt"
    with pytest.raises(PackagesError, match=r"requirements\.txt: no such file"):
        check_packages({"numpy": "2.4.6"}, path, "fail")
    assert not path.exists()
    check_packages({"numpy": "2.4.6"}, path, "freeze")
    assert path.read_text(encoding="utf-8") == "numpy==2.4.6\n"


def test_the_stage_tells_what_is_missing_when_nothing_is_installed(tmp_path: Path):
    write_project(tmp_path, "numpy", pipeline=["pydantic>=2"])
    done = run_stage(tmp_path, "-I", "-S")  # no site-packages, no PYTHONPATH
    assert done.returncode == 1
    assert done.stderr.startswith("check_packages: error: not installed in ")
    assert "\n  numpy (for pyproject.toml)\n  pydantic (for pyproject.toml)\n" in done.stderr
    assert "Is .venv active?" in done.stderr


def test_the_stage_does_what_params_yaml_says(tmp_path: Path):
    params = tmp_path / "params.yaml"
    write_project(tmp_path, pipeline=["pyyaml"], service=["not-installed-anywhere"])
    params.write_text("check_packages: {on_mismatch: fail}\n", encoding="utf-8")
    failed = run_stage(tmp_path)
    params.write_text("check_packages: {on_mismatch: freeze}\n", encoding="utf-8")
    frozen = run_stage(tmp_path)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "requirements.txt: no such file" in failed.stderr
    assert (frozen.returncode, frozen.stderr) == (0, "")
    assert frozen.stdout.startswith("check_packages: 1 packages, requirements.txt written anew:")
    assert (tmp_path / "requirements.txt").read_text(encoding="utf-8").startswith("pyyaml==")


@pytest.mark.parametrize(
    ("name", "extra"), [("requirements.txt", "pipeline"), ("requirements-service.txt", "service")]
)
def test_the_repository_pins_what_is_installed(name: str, extra: str):
    packages = read_packages(ROOT / "pyproject.toml", [extra])
    assert check_packages(packages, ROOT / name, "fail").packages == len(packages)
