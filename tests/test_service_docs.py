"""docs/service.md: its tables, examples and commands are those of the running service."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from defectseg.service.codes import CODES
from defectseg.service.openapi import read_contract
from defectseg.service.settings import Settings
from drawn_model import paint, write_painted
from live_service import LiveService, serving

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/service.md").read_text("utf-8")
TOKEN = "a token of at least sixteen characters"
CRACK = "........ ........ ..111... ..111... ........ ........ ........ ........"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    folder = tmp_path_factory.mktemp("service")
    with serving(folder, mm_per_pixel=0.05, admin_token=TOKEN) as service:
        yield service


def blocks(language: str) -> list[str]:
    """What stands in the code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table whose head begins so, without marks of code."""
    table = PAGE.partition(f"\n| {heading}")[2].partition("\n\n")[0].splitlines()[2:]
    cells = (re.split(r"(?<!\\) \| ", row.removeprefix("| ").removesuffix(" |")) for row in table)
    return [[cell.replace("`", "") for cell in row] for row in cells]


def curl(line: str, service: LiveService, folder: Path) -> Any:
    """Run a line of the page; the JSON that comes back."""
    line = line.replace("http://127.0.0.1:8000", service.url)
    done = subprocess.run(
        ["bash", "-c", f"{line} --silent --show-error"],
        cwd=folder,
        env=os.environ | {"TOKEN": TOKEN},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def written(default: Any) -> str:
    """A default as the page has it."""
    if default is None or default == ():
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_every_setting_is_told_with_its_default_and_meaning():
    expected = [
        [name.upper(), written(field.default), str(field.description).replace("`", "")]
        for name, field in Settings.model_fields.items()
    ]
    assert rows_of("`DEFECTSEG_…` |") == expected


def test_every_code_is_told_with_its_status_and_whether_to_try_again():
    told = {row[0]: (row[1], row[2]) for row in rows_of("code |")}
    expected = {
        name: (str(code.status), "yes" if code.retryable else "no") for name, code in CODES.items()
    }
    assert told == expected
    assert all(len(row) == 4 and row[3] for row in rows_of("code |"))


def test_every_address_is_told():
    told = {path for row in rows_of("call |") for path in re.findall(r"/[\w./]*", row[0])}
    assert told == {*read_contract()["paths"], "/", "/docs", "/openapi.json"}
    assert "`POST /analyze` is the same" in PAGE


def test_every_curl_line_runs_as_it_stands(service: LiveService, tmp_path: Path):
    write_painted(tmp_path / "part.png", CRACK)
    (tmp_path / "notes.txt").write_text("no picture")
    lines = [
        line for block in blocks("sh") for line in block.splitlines() if line.startswith("curl")
    ]
    first, wished, batch, model, reload = (curl(line, service, tmp_path) for line in lines)
    assert (first["image_id"], first["verdict"]) == ("part.png", "reject")
    assert wished["image_id"] == "line1/0001"
    assert {"mask_png", "heat_png"} <= wished.keys()
    assert "mask" not in wished
    assert [set(item) for item in batch["results"]] == [
        {"image_id", "result"},
        {"image_id", "error"},
    ]
    assert batch["results"][1]["error"]["code"] == "UNSUPPORTED_IMAGE"
    assert model["classes"] == ["crack", "blowhole"]
    assert reload["sha256"] == model["sha256"]
    assert reload["loaded_at"] >= model["loaded_at"]


def test_the_example_has_the_keys_of_a_real_reply(service: LiveService, tmp_path: Path):
    real = service.analyze(write_painted(tmp_path / "a.png", CRACK).read_bytes()).json()
    (example,) = (json.loads(block) for block in blocks("json"))
    assert list(example) == list(real)
    assert list(example["defects"][0]) == list(real["defects"][0])
    assert list(example["timings_ms"]) == list(real["timings_ms"])
    assert set(example["model"]) == set(real["model"])


def test_coordinates_are_in_the_upright_frame(service: LiveService, tmp_path: Path):
    turned = Image.Exif()
    turned[0x0112] = 6  # a viewer turns it by 90° to the right
    stored = Image.fromarray(paint(f"{'.......... ' * 6} ..111..... ..111....."))
    stored.save(tmp_path / "b.png", exif=turned)
    reply = service.analyze((tmp_path / "b.png").read_bytes()).json()
    assert (reply["width"], reply["height"]) == (8, 10)
    assert reply["defects"][0]["box"] == [0, 2, 2, 5]  # the last two rows are the first columns


def test_metrics_and_alerts_that_are_named_exist(service: LiveService):
    families = {name.partition("{")[0] for name in service.metrics()}
    named = set(re.findall(r"defectseg_\w+", PAGE))
    assert named and named <= families | {"defectseg_model_reloads_total"}
    alerts = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text("utf-8"))
    rules = {rule.get("alert") for group in alerts["groups"] for rule in group["rules"]} - {None}
    told = {name for row in rows_of("alert |") for name in row[0].split(", ")}
    assert {f"Defectseg{name}" for name in told} == rules


def test_every_link_leads_somewhere():
    links = set(re.findall(r"\]\(([^)#]+?)(?:#[\w-]*)?\)", PAGE))
    assert [link for link in sorted(links) if not (ROOT / "docs" / link).exists()] == []


def test_the_snippets_wait_as_long_as_the_service_drains():
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    (pods,) = (yaml.safe_load(block) for block in blocks("yaml"))
    pod = pods["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > (
        defaults["drain_delay_s"] + defaults["drain_timeout_s"]
    )
    probe = pod["containers"][0]["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < defaults["drain_delay_s"]
    (proxy,) = blocks("haproxy")
    every, fall = re.findall(r"inter (\d+)s fall (\d+)", proxy)[0]
    assert int(every) * int(fall) < defaults["drain_delay_s"]
