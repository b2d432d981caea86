"""Prometheus' own checker; and PromQL in, the metrics and labels that it names out."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.metrics import Counter, Histogram, MetricWrapperBase

from defectseg.service.metrics import Metrics

TEXT = re.compile(r'"[^"]*"')
SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
RANGE = re.compile(r"\[[^]]*\]")
NAME = re.compile(r"(?<![\w.:])[A-Za-z_:][\w:]*(?!\s*\()\b(?!\s*\()")
WORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan"}
TARGET = {"instance", "job"}  # Prometheus adds them to all that it scrapes


@dataclass(frozen=True)
class Used:
    """What an expression names."""

    metrics: frozenset[str]
    labels: frozenset[tuple[str, str]]  # (metric, label) of a selector
    grouping: frozenset[str]  # labels of by, on and their like


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run it; Debian has it in the package `prometheus`."""
    if shutil.which("promtool") is None and not os.environ.get("CI"):
        pytest.skip("promtool is not installed: apt-get install prometheus")
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def read_expression(expression: str) -> Used:
    """The metrics and labels that an expression names, read from its text."""
    text = TEXT.sub('""', expression)
    labels = {
        (metric, label)
        for metric, matchers in SELECTOR.findall(text)
        for label in MATCHER.findall(matchers)
    }
    text = SELECTOR.sub(r" \1 ", text)
    grouping = {name.strip() for names in GROUPING.findall(text) for name in names.split(",")}
    names = NAME.findall(RANGE.sub(" ", GROUPING.sub(" ", text)))
    return Used(frozenset(names) - WORDS, frozenset(labels), frozenset(grouping - {""}))


def served_metrics() -> dict[str, set[str]]:
    """Every name that the service's /metrics can have → its labels."""
    found = {"up": set(TARGET), "ALERTS": {"alertname", "alertstate", "severity"} | TARGET}
    for metric in vars(Metrics()).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        name = metric.describe()[0].name
        labels = set(metric._labelnames) | TARGET
        if isinstance(metric, Histogram):
            found |= {f"{name}_bucket": labels | {"le"}}
            found |= {f"{name}_{part}": labels for part in ("sum", "count")}
        else:
            found[f"{name}_total" if isinstance(metric, Counter) else name] = labels
    return found


def write_rules(path: Path, expressions: list[str]) -> Path:
    """A rules file with these expressions, for promtool to parse."""
    rules = [f"      - record: r{n}\n        expr: {e!r}" for n, e in enumerate(expressions)]
    path.write_text("\n".join(["groups:", "  - name: all", "    rules:", *rules, ""]), "utf-8")
    return path
