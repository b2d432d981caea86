"""checks: the list of the checks."""

from defectseg.data.quality.checks import CHECKS, Check
from defectseg.data.quality.findings import CheckParams, Facts, Finding, Found
from facts import check_params, make_facts


def find_something(facts: Facts, params: CheckParams) -> Found:
    return Found("Two.", ("a", "b"), ("x", "y"), (("a", "b"),), ("z",))


def find_nothing(facts: Facts, params: CheckParams) -> None:
    return None


def test_a_finding_has_the_name_and_the_severity_of_its_check():
    check = Check("tiny_defects", "", find_something)
    expected = ("Two.", ("a", "b"), ("x", "y"), (("a", "b"),), ("z",))
    for severity in ("error", "warning"):
        found = check.run(make_facts({}), check_params(tiny_defects=severity))
        assert found == Finding("tiny_defects", severity, *expected)


def test_a_check_that_is_off_is_not_asked():
    check = Check("tiny_defects", "", find_something)
    assert check.run(make_facts({}), check_params(tiny_defects="off")) is None


def test_a_check_that_finds_nothing_is_no_finding():
    check = Check("tiny_defects", "", find_nothing)
    assert check.run(make_facts({}), check_params(tiny_defects="error")) is None


def test_checks_have_names_of_their_own_and_one_sentence_each():
    assert len({check.name for check in CHECKS}) == len(CHECKS) == 15
    for check in CHECKS:
        assert check.about.endswith(".") and ". " not in check.about
