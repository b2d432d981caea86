"""compare: the verdict on each metric of two revisions."""

import json
from pathlib import Path

import pytest

from compared import FREE, GOOD, POOR, SPECK, TRUE, picture, test_part, with_tile, write_revision
from defectseg.comparison.compare import Judged, compare_revisions
from defectseg.errors import ComparisonError
from defectseg.evaluation.tables import write_per_image
from defectseg.revisions.revision import Revision

GATES = {"iou_pooled": 0.1, "false_alarm_rate": 0.9}
EIGHT_GOOD, EIGHT_POOR = test_part([GOOD] * 8), test_part([POOR] * 8)
DRAWS = 1000


def judged(comparison) -> dict[str, Judged]:
    return {row.metric: row for row in comparison.judged}


def compare(base: Revision, head: Revision, **more):
    return compare_revisions(base, head, draws=DRAWS, **more)


def test_a_gated_metric_that_is_worse_on_every_surface_is_worse(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD, gates=GATES)
    head = write_revision(tmp_path / "head", EIGHT_POOR, gates=GATES)
    comparison = compare(base, head)
    row = judged(comparison)["iou_pooled"]
    assert (row.base, row.head) == pytest.approx((5 / 6, 2 / 6))
    assert (row.difference, row.low, row.high) == pytest.approx((-0.5, -0.5, -0.5))
    assert row.verdict == "worse"
    assert comparison.worse_gates == ("iou_pooled",)
    assert comparison.judged[0].is_gated and comparison.judged[1].is_gated
    assert not comparison.judged[2].is_gated
    assert comparison.summary().startswith("worse: iou_pooled (head against base; ")


def test_the_other_way_round_it_is_better_and_no_gate_is_worse(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_POOR, gates=GATES)
    head = write_revision(tmp_path / "head", EIGHT_GOOD, gates=GATES)
    comparison = compare(base, head)
    assert judged(comparison)["iou_pooled"].verdict == "better"
    assert comparison.worse_gates == ()
    assert comparison.summary().startswith("no gated metric is worse (head against base; ")


def test_more_false_alarms_are_worse_though_the_number_is_higher(tmp_path: Path):
    base = write_revision(tmp_path / "base", test_part([GOOD] * 4, [FREE] * 8), gates=GATES)
    head = write_revision(tmp_path / "head", test_part([GOOD] * 4, [SPECK] * 8), gates=GATES)
    comparison = compare(base, head)
    assert judged(comparison)["false_alarm_rate"].difference == 1.0
    assert comparison.worse_gates == ("iou_pooled", "false_alarm_rate")


def test_a_metric_without_a_gate_may_be_worse_without_being_named(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD)
    comparison = compare(base, write_revision(tmp_path / "head", EIGHT_POOR))
    assert "iou_pooled" in comparison.names("worse")
    assert comparison.worse_gates == ()


def test_a_gate_of_either_revision_counts_unless_it_is_null(tmp_path: Path):
    none = {"iou_pooled": None}
    for number, (first, second) in enumerate(
        [({"iou_pooled": 0.1}, {}), ({}, {"iou_pooled": 0.1}), (none, none)]
    ):
        base = write_revision(tmp_path / f"{number}-base", EIGHT_GOOD, gates=first)
        head = write_revision(tmp_path / f"{number}-head", EIGHT_POOR, gates=second)
        expected = ("iou_pooled",) if number < 2 else ()
        assert compare(base, head).worse_gates == expected


def test_a_few_surfaces_cannot_tell(tmp_path: Path):
    base = write_revision(tmp_path / "base", test_part([GOOD] * 4, [FREE]), gates=GATES)
    head = write_revision(tmp_path / "head", test_part([POOR] * 4, [FREE]), gates=GATES)
    row = judged(compare(base, head))["iou_pooled"]
    assert row.difference == pytest.approx(-0.5)
    assert row.verdict == "can't tell"
    assert row.reason.startswith("chance: the models swapped on random surfaces differ as much in ")


def test_the_same_model_differs_in_nothing(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD, gates=GATES)
    comparison = compare(base, write_revision(tmp_path / "head", EIGHT_GOOD, gates=GATES))
    rows = judged(comparison)
    assert {row.verdict for row in comparison.judged} == {"can't tell"}
    assert rows["iou_pooled"].reason == "no difference"
    assert rows["iou_blowhole"].reason.startswith("undefined at base and head")
    assert rows["ece"].reason == "the rows of the pictures do not tell it"
    assert (rows["ece"].base, rows["ece"].head) == (0.01, 0.01)


@pytest.mark.parametrize("content", [None, "", "{}", "\n"])
def test_without_metrics_at_base_there_is_no_baseline(content: str | None, tmp_path: Path):
    (tmp_path / "base/metrics").mkdir(parents=True)
    if content is not None:
        (tmp_path / "base/metrics/evaluate.json").write_text(content)
    head = write_revision(tmp_path / "head", EIGHT_GOOD, gates=GATES)
    comparison = compare(Revision("base", None, tmp_path / "base"), head)
    assert not comparison.has_baseline
    assert {row.verdict for row in comparison.judged} == {"no baseline"}
    assert judged(comparison)["iou_pooled"].head == pytest.approx(5 / 6, abs=1e-6)
    assert len(comparison.judged) == 20
    assert comparison.worse_gates == ()
    assert comparison.summary().startswith("no baseline: base has no metrics")


def test_without_metrics_at_head_nothing_is_compared(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD)
    with pytest.raises(ComparisonError, match=r"head has no metrics/evaluate\.json"):
        compare(base, Revision("head", None, tmp_path))


@pytest.mark.parametrize("content", ["{", "[1]", '{"gates": [{}]}', '{"operating_point": 3}'])
def test_damaged_metrics_are_refused(content: str, tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD)
    head = write_revision(tmp_path / "head", EIGHT_GOOD)
    (tmp_path / "base/metrics/evaluate.json").write_text(content)
    with pytest.raises(ComparisonError, match=r"evaluate\.json of base is damaged"):
        compare(base, head)


def test_rows_of_another_run_than_the_metrics_are_refused(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD)
    head = write_revision(tmp_path / "head", EIGHT_GOOD)
    write_per_image(tmp_path / "head/metrics/per_image.csv", EIGHT_POOR)
    with pytest.raises(ComparisonError, match=r"of head says .* = .*they are of two runs"):
        compare(base, head)


def test_scores_without_rows_are_refused(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD)
    head = write_revision(tmp_path / "head", EIGHT_GOOD)
    (tmp_path / "base/metrics/per_image.csv").unlink()
    with pytest.raises(ComparisonError, match=r"base has scores but no metrics/per_image\.csv"):
        compare(base, head)


def test_rows_of_an_older_version_tell_what_they_can(tmp_path: Path):
    old = ("sha256", "regions", "found_iou30", "found_iou50", "false_regions", "confusion")
    base = write_revision(tmp_path / "base", EIGHT_GOOD, without=old)
    head = write_revision(tmp_path / "head", EIGHT_POOR)
    comparison = compare(base, head)
    rows = judged(comparison)
    assert rows["iou_pooled"].verdict == rows["dice_per_image_mean"].verdict == "worse"
    assert rows["escape_rate"].reason == "no difference"
    macro = rows["iou_macro"]
    assert (macro.base, macro.head) == pytest.approx((5 / 6, 2 / 6), abs=1e-6)
    assert (macro.verdict, macro.low) == ("can't tell", None)
    assert macro.reason == "metrics/per_image.csv of base has no column confusion"
    assert rows["defects_found_iou50"].reason.endswith("found_iou30, found_iou50, false_regions")
    assert comparison.notes == (
        "The rows of base do not say which bytes a picture has: the pictures are matched by their "
        "ids and the number of their defect pixels.",
    )


def test_test_parts_that_differ_are_refused_with_their_numbers(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD)
    other = with_tile(EIGHT_POOR[:-1], 2, sha256="f" * 64)
    head = write_revision(tmp_path / "head", other)
    with pytest.raises(ComparisonError) as caught:
        compare(base, head)
    message = str(caught.value)
    assert "1 only in base, 1 with another picture or mask (of 12 and 11 pictures" in message
    assert "--common" in message


def test_with_common_both_are_scored_again_on_what_both_have(tmp_path: Path):
    nine = test_part([POOR] + [GOOD] * 8)
    base = write_revision(tmp_path / "base", with_tile(nine, 0, sha256="f" * 64), gates=GATES)
    head = write_revision(tmp_path / "head", test_part([GOOD] + [POOR] * 8)[:-1], gates=GATES)
    comparison = compare(base, head, is_common=True)
    row = judged(comparison)["iou_pooled"]
    assert (row.base, row.head) == pytest.approx((5 / 6, 2 / 6))  # without picture t00
    assert row.verdict == "worse"
    assert comparison.pairs.of == (13, 12)
    assert len(comparison.pairs.head) == 11
    assert (judged(comparison)["ece"].base, judged(comparison)["ece"].head) == (None, None)


def test_test_parts_without_a_common_picture_cannot_be_compared(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD[:5])
    head = write_revision(tmp_path / "head", EIGHT_GOOD[5:])
    with pytest.raises(ComparisonError, match="have no picture in common"):
        compare(base, head, is_common=True)


def test_surfaces_may_have_other_names_but_not_other_members(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD)
    renamed = with_tile(EIGHT_GOOD, 0, surface="another")
    assert compare(base, write_revision(tmp_path / "head", renamed)).has_baseline
    joined = write_revision(tmp_path / "joined", with_tile(EIGHT_GOOD, 0, surface="s01"))
    with pytest.raises(ComparisonError, match="2 on a surface with other pictures"):
        compare(base, joined)
    common = compare(base, joined, is_common=True)
    assert common.pairs.surfaces[:2] == ("s01", "s01")
    assert common.notes == (
        "The revisions group the pictures into other surfaces; those of head are used.",
    )


def test_older_rows_whose_truth_has_another_size_are_another_picture(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD, without=("sha256",))
    smaller = TRUE.replace("###", "##.", 1)
    other = [picture(0, smaller, GOOD, 0.7), *EIGHT_GOOD[1:]]
    head = write_revision(tmp_path / "head", other)
    with pytest.raises(ComparisonError, match="1 with another picture or mask"):
        compare(base, head)


def test_classes_are_compared_by_their_names(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD)
    head = write_revision(tmp_path / "head", EIGHT_GOOD)
    turn_classes(tmp_path / "head")
    rows = judged(compare(base, head))
    assert rows["iou_crack"].reason == rows["iou_macro"].reason == "no difference"
    assert (rows["iou_crack"].base, rows["iou_crack"].head) == pytest.approx((5 / 6, 5 / 6))


def turn_classes(folder: Path) -> None:
    """Write the same results as a revision does whose classes stand in the other order."""
    metrics = folder / "metrics/evaluate.json"
    content = json.loads(metrics.read_text("utf-8"))
    content["operating_point"]["classes"].reverse()
    metrics.write_text(json.dumps(content), encoding="utf-8")
    rows = folder / "metrics/per_image.csv"
    lines = rows.read_text("utf-8").splitlines()
    turned = [lines[0]]
    for line in lines[1:]:
        *cells, counts = line.split(",")
        numbers = [counts.split()[index] for index in (0, 2, 1, 6, 8, 7, 3, 5, 4)]
        turned.append(",".join([*cells, " ".join(numbers)]))
    rows.write_text("\n".join(turned) + "\n", encoding="utf-8")


def test_a_failed_gate_of_head_is_told(tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD)
    head = write_revision(tmp_path / "head", EIGHT_GOOD, gates={"iou_pooled": 0.9})
    comparison = compare(base, head)
    assert comparison.gates == 1
    assert comparison.failed_gates == ("iou_pooled is 0.8333, but must be at least 0.9",)
    assert comparison.worse_gates == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("accept", "perhaps", "verdict"),
        (",s00,", ",,", "surface"),
        ("t01", "t00", "has a picture twice"),
        (",0,0,0,0,", ",0,0,0,-1,", "fn|tp|fp|false_regions|regions"),
    ],
)
def test_damaged_rows_are_refused(old: str, new: str, said: str, tmp_path: Path):
    base = write_revision(tmp_path / "base", EIGHT_GOOD)
    head = write_revision(tmp_path / "head", EIGHT_GOOD)
    rows = tmp_path / "base/metrics/per_image.csv"
    text = rows.read_text("utf-8")
    assert old in text
    rows.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ComparisonError, match=f"per_image.csv of base .*({said})"):
        compare(base, head)
