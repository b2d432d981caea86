"""findings: the params of the checks, and their words."""

import pytest
import yaml
from pydantic import ValidationError

from conftest import committed_checks
from defectseg.data.faults import FaultKind
from defectseg.data.quality.checks import CHECKS
from defectseg.data.quality.findings import CheckParams, share_of_defect, tell_of_each
from facts import check_params, make_facts, make_measure


def test_off_without_quotes_is_a_severity_though_yaml_reads_false():
    read = yaml.safe_load("tiny_defects: off\nfull_masks: 'off'")
    params = CheckParams.model_validate(committed_checks(**read))
    assert (params.severity("tiny_defects"), params.severity("full_masks")) == ("off", "off")


@pytest.mark.parametrize("severity", ["fatal", True, 0, None, ""])
def test_another_word_is_no_severity(severity: object):
    with pytest.raises(ValidationError, match="tiny_defects"):
        check_params(tiny_defects=severity)


def test_every_check_and_every_fault_of_a_file_has_a_severity():
    params = check_params()
    for name in [*(check.name for check in CHECKS), *(kind.check for kind in FaultKind)]:
        assert params.severity(name) in {"error", "warning", "off"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("duplicate", 0),
        ("duplicate", 256),
        ("pairs", 0),
        ("least_agreement", 1.1),
        ("tiny_px", -1),
        ("full_share", 0),
        ("grey_share", -0.1),
        ("outlier", 0),
        ("least_surfaces", 0),
    ],
)
def test_a_threshold_out_of_its_range_is_refused(key: str, value: float):
    with pytest.raises(ValidationError, match=key):
        check_params(**{key: value})


def test_the_share_of_defect_is_of_all_pixels():
    assert share_of_defect(make_measure(defect_px=30000)) == 0.25


def test_a_check_tells_of_each_picture_in_the_order_of_the_tiles():
    facts = make_facts({"a": make_measure(), "b": make_measure(width=9), "c": make_measure()})
    found = tell_of_each(facts, facts.tiles[1:], "two", lambda measure: f"{measure.width} px")
    assert found is not None
    assert (found.summary, found.pictures) == ("two", ("b", "c"))
    assert found.details == ("9 px", "400 px")
    assert tell_of_each(facts, [], "none", lambda measure: "") is None
