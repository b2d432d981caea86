"""deploy/grafana: the dashboard loads, each panel asks for what the service tells."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from promtool import promtool, read_expression, served_metrics, write_rules
from reach import ROOT

GRAFANA = ROOT / "deploy/grafana"
BOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards/defectseg.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = BOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
COLUMNS = 24  # of Grafana's grid
# What Grafana puts in before it asks.
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*"}
each_panel = pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: panel["title"])


def expressions(panel: dict[str, Any]) -> list[str]:
    """What a panel asks Prometheus for."""
    asked = [target["expr"] for target in panel["targets"]]
    for name, value in VARIABLES.items():
        asked = [expression.replace(name, value) for expression in asked]
    return asked


def recorded() -> set[str]:
    """The names that the rules of Prometheus make."""
    groups = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text(encoding="utf-8"))["groups"]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


@each_panel
def test_a_panel_asks_only_for_what_the_service_tells(panel: dict[str, Any]):
    served = served_metrics() | {name: {"instance"} for name in recorded()}
    for expression in expressions(panel):
        used = read_expression(expression)
        assert used.metrics
        assert used.metrics <= served.keys()
        assert all(label in served[metric] for metric, label in used.labels)
        assert used.grouping <= set().union(*(served[metric] for metric in used.metrics))


def test_prometheus_understands_every_panel(tmp_path: Path):
    asked = [expression for panel in SHOWN for expression in expressions(panel)]
    assert not [expression for expression in asked if "$" in expression]
    done = promtool("check", "rules", write_rules(tmp_path / "rules.yml", asked))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(asked)} rules found" in done.stdout


def test_every_metric_of_the_service_is_on_the_dashboard_or_in_a_rule():
    asked = [expression for panel in SHOWN for expression in expressions(panel)]
    rules = (ROOT / "deploy/alerts.yml").read_text(encoding="utf-8")
    text = "\n".join([*asked, rules])
    families = {name.removesuffix("_bucket") for name in served_metrics()}
    families -= {name for name in families if name.endswith(("_sum", "_count"))}
    assert {name for name in families if name not in text} == set()


@each_panel
def test_a_panel_has_a_title_a_unit_and_says_what_it_shows(panel: dict[str, Any]):
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    references = [target["refId"] for target in panel["targets"]]
    assert len(references) == len(set(references))


def test_panels_have_numbers_and_titles_of_their_own_and_do_not_overlap():
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells


def test_grafana_finds_the_dashboard_and_its_source():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    grafana = compose["services"]["grafana"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    (provider,) = read_yaml("provisioning/dashboards/defectseg.yaml")["providers"]
    (source,) = read_yaml("provisioning/datasources/prometheus.yaml")["datasources"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/defectseg.json"
    assert source["type"] == BOARD["templating"]["list"][0]["query"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose["services"]
    assert {variable["name"] for variable in BOARD["templating"]["list"]} == {
        "datasource",
        "instance",
    }


def read_yaml(name: str) -> Any:
    """A file that Grafana reads at its start."""
    return yaml.safe_load((GRAFANA / name).read_text(encoding="utf-8"))
