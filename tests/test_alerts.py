"""deploy/alerts.yml: each alert fires when it should, not before, and names metrics that exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from defectseg.service.codes import CODES
from defectseg.service.metrics import PHASES
from promtool import promtool, read_expression, served_metrics
from reach import ROOT

ALERTS = ROOT / "deploy/alerts.yml"
GROUPS: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERT_RULES = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
TARGET = 'instance="a:8000"'
LONG = 5 * 60  # minutes: what the long averages look back at
# A quiet line: 10 pictures a second, 0.5 % fail, 1 % are refused, all below every limit. One value
# a minute, in promtool's notation: first value, what is added each minute, how often.
HEALTHY = {
    'up{job="defectseg"}': "1x{n}",
    'defectseg_phase{phase="ready"}': "1x{n}",
    "defectseg_workers": "2x{n}",
    'defectseg_worker_heartbeat_age_seconds{worker="0"}': "29x{n}",
    "defectseg_worker_restarts_total": "3x{n}",
    "defectseg_model_output_invalid_total": "3x{n}",
    'defectseg_model_reloads_total{result="rejected"}': "3x{n}",
    'defectseg_model_reloads_total{result="ok"}': "0+1x{n}",
    'defectseg_model_info{sha256="1"}': "1x{n}",
    'defectseg_requests_total{path="/v1/analyze",code="OK"}': "0+597x{n}",
    'defectseg_requests_total{path="/v1/analyze",code="INTERNAL"}': "0+3x{n}",
    'defectseg_requests_total{path="/v1/analyze",code="IMAGE_CORRUPT"}': "0+60x{n}",
    'defectseg_requests_total{path="/live",code="INTERNAL"}': "0+600x{n}",
    'defectseg_shed_total{reason="QUEUE_FULL"}': "0+6x{n}",
    "defectseg_in_flight": "25x{n}",
    "defectseg_queue_limit": "32x{n}",
    'defectseg_request_seconds_bucket{path="/v1/analyze",le="0.1"}': "0+580x{n}",
    'defectseg_request_seconds_bucket{path="/v1/analyze",le="1.0"}': "0+600x{n}",
    'defectseg_request_seconds_bucket{path="/v1/analyze",le="5.0"}': "0+600x{n}",
    'defectseg_request_seconds_bucket{path="/v1/analyze",le="+Inf"}': "0+600x{n}",
    'defectseg_verdicts_total{verdict="accept"}': "0+540x{n}",
    'defectseg_verdicts_total{verdict="reject"}': "0+60x{n}",
    "defectseg_picture_brightness_sum": "0+270x{n}",
    "defectseg_picture_brightness_count": "0+600x{n}",
}
REQUESTS = 'defectseg_requests_total{path="/v1/analyze",code="%s"}'
SECONDS = 'defectseg_request_seconds_bucket{path="/v1/analyze",le="%s"}'
VERDICTS = 'defectseg_verdicts_total{verdict="%s"}'
HEARTBEAT = 'defectseg_worker_heartbeat_age_seconds{worker="0"}'
RELOADS = 'defectseg_model_reloads_total{result="rejected"}'
# The alert, what changes, the last minute at which it is quiet and the first at which it fires.
FIRING: list[tuple[str, dict[str, str], int, int]] = [
    ("Down", {'up{job="defectseg"}': "1x9 0x{n}"}, 10, 11),
    ("Down", {'up{job="defectseg"}': "_x{n}"}, 0, 1),
    ("NotReady", {'defectseg_phase{phase="ready"}': "1x9 0x{n}"}, 11, 12),
    ("NoWorker", {"defectseg_workers": "2x9 0x{n}"}, 10, 11),
    ("WorkerStale", {HEARTBEAT: "29x9 31x{n}"}, 10, 11),
    ("WorkerRestarts", {"defectseg_worker_restarts_total": "3x9 4x{n}"}, 9, 10),
    ("ModelOutputInvalid", {"defectseg_model_output_invalid_total": "3x9 4x{n}"}, 9, 10),
    ("ReloadRejected", {RELOADS: "0x9 1x{n}"}, 9, 10),
    ("Failing", {REQUESTS % "DEADLINE_EXCEEDED": "0+9x{n}"}, 5, 7),
    ("Failing", {REQUESTS % "MODEL_OUTPUT_INVALID": "0+9x{n}"}, 5, 7),
    ("Shedding", {'defectseg_shed_total{reason="QUEUE_FULL"}': "0+15x{n}"}, 5, 7),
    ("NearLimit", {"defectseg_in_flight": "26x{n}"}, 1, 2),
    ("Slow", {SECONDS % "1.0": "0+590x{n}"}, 5, 7),
    ("ModelsDiffer", {'defectseg_model_info{sha256="2"}': "1x{n}"}, 14, 15),
    # From 10 % rejected to 31 %: known once most of the last hour is of the new kind.
    (
        "RejectShareJumped",
        {VERDICTS % "reject": f"0+60x{LONG} {LONG * 60}+240x{{n}}"},
        LONG + 30,
        LONG + 75,
    ),
    # From 0.45 to 0.55 of white.
    (
        "BrightnessDrift",
        {"defectseg_picture_brightness_sum": f"0+270x{LONG} {LONG * 270}+330x{{n}}"},
        LONG + 30,
        LONG + 85,
    ),
    (
        "BrightnessDrift",
        {"defectseg_picture_brightness_sum": f"0+270x{LONG} {LONG * 270}+210x{{n}}"},
        LONG + 30,
        LONG + 85,
    ),
]
# What must not wake anyone.
QUIET: list[dict[str, str]] = [
    {},
    {REQUESTS % "DEADLINE_EXCEEDED": "0+2x{n}"},  # 0.8 % fail
    {REQUESTS % "IMAGE_CORRUPT": "0+600x{n}"},  # the client's fault
    {REQUESTS % "QUEUE_FULL": "0+6x{n}"},  # told by Shedding
    {'defectseg_shed_total{reason="PAYLOAD_TOO_LARGE"}': "0+60x{n}"},
    {'defectseg_shed_total{reason="DRAINING"}': "0+60x{n}"},
    {'up{job="prometheus"}': "0x{n}"},
    {'defectseg_model_info{sha256="1",name="two instances"}': "1x{n}"},
    {VERDICTS % "reject": "0+60x60 3600+120x{n}"},  # 10 % → 18 %
    {"defectseg_picture_brightness_sum": "0+270x60 16200+300x{n}"},  # 0.45 → 0.5
    # Too few pictures to say anything: 99 in the hour, all rejected after none were.
    {VERDICTS % "accept": "0+1.6x60 96+0x{n}", VERDICTS % "reject": "0+0x60 0+1.6x{n}"},
    # A night without pictures.
    {name: "600x{n}" for name in HEALTHY if "+" in HEALTHY[name] and "total" in name},
]


def check(folder: Path, changes: dict[str, str], expected: dict[int, list[str]]) -> None:
    """Ask promtool whether, with these series changed, exactly these alerts fire at a minute."""
    last = max(expected)
    series = {
        add_label(name): values.format(n=last) for name, values in (HEALTHY | changes).items()
    }
    tests = [
        {
            "eval_time": f"{minute}m",
            "expr": 'sum by (alertname) (ALERTS{alertstate="firing"})',
            "exp_samples": [{"labels": f'{{alertname="{a}"}}', "value": 1} for a in alerts],
        }
        for minute, alerts in expected.items()
    ]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": tests}
    path = folder / "alerts_test.json"  # JSON is YAML
    path.write_text(
        json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [test]}),
        encoding="utf-8",
    )
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def add_label(series: str) -> str:
    """What Prometheus adds to all that it scrapes."""
    name, _, labels = series.removesuffix("}").partition("{")
    return f"{name}{{{', '.join(filter(None, [labels, TARGET]))}}}"


def test_promtool_accepts_the_rules_and_the_configuration():
    for kind, path in (("rules", ALERTS), ("config", ROOT / "deploy/prometheus.yml")):
        done = promtool("check", kind, path)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("alert", "changes", "quiet", "fires"), FIRING)
def test_an_alert_fires_in_time_and_alone(
    tmp_path: Path, alert: str, changes: dict[str, str], quiet: int, fires: int
):
    check(tmp_path, changes, {quiet: [], fires: [f"Defectseg{alert}"]})


@pytest.mark.parametrize("changes", QUIET)
def test_a_service_below_its_limits_wakes_nobody(tmp_path: Path, changes: dict[str, str]):
    check(tmp_path, changes, {10: [], 60: [], 120: []})


def test_every_alert_is_seen_to_fire():
    tried = {f"Defectseg{alert}" for alert, *_ in FIRING}
    assert tried == {rule["alert"] for rule in ALERT_RULES}


@pytest.mark.parametrize("rule", ALERT_RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_it_means_and_what_to_do(rule: dict[str, Any]):
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert len(rule["annotations"]["summary"]) > 20
    assert len(rule["annotations"]["runbook"]) > 40


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_only_what_the_service_tells(rule: dict[str, Any]):
    served = served_metrics() | {name: {"instance"} for name in RECORDED}
    used = read_expression(rule["expr"])
    assert used.metrics <= served.keys()
    assert all(label in served[metric] for metric, label in used.labels)
    known = set().union(*(served[metric] for metric in used.metrics))
    assert used.grouping <= known


def test_what_counts_as_failing_is_every_code_that_is_the_services_fault():
    faults = {name for name, code in CODES.items() if code.status in {500, 504}}
    rule = next(rule for rule in RULES if rule.get("record") == "defectseg:failed_requests:rate5m")
    assert set(rule["expr"].partition('code=~"')[2].partition('"')[0].split("|")) == faults


def test_the_phase_and_the_reason_of_the_alerts_exist():
    text = ALERTS.read_text(encoding="utf-8")
    assert set(re.findall(r'phase="(\w+)"', text)) == {"ready"} <= set(PHASES)
    assert set(re.findall(r'reason="(\w+)"', text)) == {"QUEUE_FULL"} <= CODES.keys()
