"""quality: from facts to metrics/data_quality.json."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from defectseg.data.quality.agreement import Agreement, Score
from defectseg.data.quality.findings import Facts, Finding, LeftOut
from defectseg.data.quality.quality import run_checks, write_quality
from facts import check_params, make_facts, make_measure, make_tile

PARAMS = check_params(outlier=6.0, tiny_px=9, least_surfaces=1, border_defects="off")


@pytest.fixture
def facts() -> Facts:
    """Facts about ten pictures: one is dark, one has a tiny defect at the border."""
    measures = {f"p{k}": make_measure(f"{k}", brightness=100.0 + k) for k in range(10)}
    measures["p3"] = replace(measures["p3"], brightness=5.0)
    spot = {"defect_px": 4, "regions": 1, "smallest_region_px": 4, "largest_region_px": 4}
    measures["p4"] = replace(measures["p4"], **spot, touches_border=True, class_px=(4, 0))
    tiles = [make_tile(n, "crack" if n == "p4" else "clean", f"s{n[1]}") for n in measures]
    agreement = Agreement(
        ceiling=Score("any", 3, 0.8, 0.7),
        interval=(0.7, 0.9),
        classes=(Score("crack", 3, 0.8, 0.7), Score("dent", 0, None, None)),
        compared=(),
        contradictions=(),
        unregistered=1,
    )
    return make_facts(measures, tiles=tiles, agreement=agreement, similarity=0.2)


def written(path: Path, *args: object) -> dict:
    write_quality(path, *args)
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_check_is_run_in_the_order_of_the_list(facts: Facts):
    found = run_checks(facts, PARAMS)
    assert [each.check for each in found] == [
        "tiny_defects",
        "brightness_outliers",
        "class_balance",
    ]
    assert [each.pictures for each in found] == [("p4",), ("p3",), ()]


def test_a_check_that_is_off_is_not_run(facts: Facts):
    found = run_checks(facts, check_params(tiny_defects="off", border_defects="warning"))
    assert "tiny_defects" not in {each.check for each in found}
    assert "border_defects" in {each.check for each in found}


def test_the_file_counts_and_names_every_picture(tmp_path: Path, facts: Facts):
    names = tuple(f"p{k}" for k in range(500))
    findings = [
        Finding("tiny_defects", "error", "Many.", names, ("speck",) * 500),
        Finding("near_duplicates", "warning", "Pairs.", ("a", "b"), (), (("a", "b"),), ("0.3",)),
        Finding("unused_labels", "warning", "None."),
    ]
    content = written(tmp_path / "q.json", facts, findings, [LeftOut("x.png", "no_mask", "why")])
    assert (content["errors"], content["warnings"], content["left_out"]) == (1, 2, 1)
    assert (content["pictures"], content["surfaces"]["surfaces"]) == (10, 10)
    first, second, third = content["findings"]
    assert first["pictures"] == list(names)
    assert (first["count"], first["severity"], len(first["details"])) == (500, "error", 500)
    assert second == {
        "check": "near_duplicates",
        "severity": "warning",
        "summary": "Pairs.",
        "count": 1,
        "pictures": ["a", "b"],
        "pairs": [["a", "b"]],
        "pair_details": ["0.3"],
    }
    expected = {"check": "unused_labels", "severity": "warning", "summary": "None.", "count": 0}
    assert third == expected


def test_the_file_has_the_numbers_of_the_set(tmp_path: Path, facts: Facts):
    content = written(tmp_path / "q.json", facts, [])
    assert content["surfaces"] == {"surfaces": 10, "source": "pixels", "similarity": 0.2}
    assert content["classes"]["crack"] == {"pictures": 1, "surfaces": 1, "defect_px": 4}
    assert content["classes"]["dent"] == {"pictures": 0, "surfaces": 0, "defect_px": 0}
    assert content["classes"]["clean"]["pictures"] == 9
    # brightness 5, then 100 101 102 104 105 106 107 108 109
    assert content["measures"]["brightness"] == {
        "least": 5,
        "lower_quartile": 101.25,
        "median": 104.5,
        "upper_quartile": 106.75,
        "most": 109,
    }


def test_the_file_has_the_agreement_with_its_interval(tmp_path: Path, facts: Facts):
    assert written(tmp_path / "q.json", facts, [])["label_agreement"] == {
        "pairs": 3,
        "dice": 0.8,
        "iou": 0.7,
        "interval": {"dice": {"low": 0.7, "high": 0.9}},
        "classes": {
            "crack": {"pairs": 3, "dice": 0.8, "iou": 0.7},
            "dent": {"pairs": 0, "dice": None, "iou": None},
        },
        "not_registered": 1,
    }


def test_a_set_without_pictures_is_written_too(tmp_path: Path):
    content = written(tmp_path / "q.json", make_facts({}), [])
    assert content["pictures"] == 0
    assert content["measures"]["width"]["median"] is None
    assert content["label_agreement"]["interval"]["dice"] == {"low": None, "high": None}


def test_the_same_facts_are_the_same_bytes_whatever_order_they_came_in(
    tmp_path: Path, facts: Facts
):
    shuffled = replace(facts, measures=dict(reversed(facts.measures.items())))
    for name, each in {"a": facts, "b": shuffled}.items():
        write_quality(tmp_path / name, each, run_checks(each, PARAMS))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
