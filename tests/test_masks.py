"""masks: what the values of a set of masks mean, worked out by hand."""

from typing import Any

import numpy as np
import pytest

from conftest import mask
from defectseg.data.labels.masks import (
    MaskParams,
    MaskRule,
    MaskSummary,
    choose_folder_rule,
    choose_rule,
    summarise_mask,
    without_void,
)
from defectseg.errors import DataError


def params(**changes: Any) -> MaskParams:
    given = {
        "mask_kind": "auto",
        "mask_threshold": 127,
        "classes": None,
        "rename": {},
        "ignore": [],
    }
    return MaskParams.model_validate(given | changes)


def summaries(**values: list[int]) -> dict[str, MaskSummary]:
    """Masks of one row with these values."""
    return {name: summarise_mask(np.array([row], np.uint8)) for name, row in values.items()}


def test_a_summary_keeps_the_distinct_values_and_the_size():
    summary = summarise_mask(mask("020\n290"))
    assert summary == MaskSummary(bytes([0, 2, 9]), width=3, height=2)
    assert summary.largest == 9


def test_void_is_read_as_background():
    values = np.array([[0, 1, 255]], dtype=np.uint8)
    assert without_void(values, 255).tolist() == [[0, 1, 0]]
    assert without_void(values, 255).dtype == np.uint8
    assert without_void(values, None).tolist() == [[0, 1, 255]]


def test_masks_with_small_values_hold_class_indexes():
    rule, faults = choose_rule(summaries(a=[0, 1], b=[0, 3]), None, params())
    assert (rule.kind, rule.labels, faults) == ("index", ("class_1", "class_2", "class_3"), [])


def test_the_params_name_the_values_of_an_index():
    rule, faults = choose_rule(summaries(a=[0, 1]), None, params(classes=["crack", "dent"]))
    assert (rule.kind, rule.labels, faults) == ("index", ("crack", "dent"), [])


def test_the_source_names_the_values_before_the_params_do():
    rule, _ = choose_rule(summaries(a=[0, 2]), ("dent", "crack"), params(classes=["crack", "dent"]))
    assert rule.labels == ("dent", "crack")


@pytest.mark.parametrize("changes", [{"rename": {"class_1": "crack"}}, {"ignore": ["class_2"]}])
def test_values_have_their_own_names_where_some_are_renamed_or_ignored(changes: dict[str, Any]):
    rule, _ = choose_rule(summaries(a=[1, 2]), None, params(classes=["crack"], **changes))
    assert rule.labels == ("class_1", "class_2")


def test_an_index_above_the_named_values_is_a_fault():
    _, faults = choose_rule(summaries(a=[0, 1], b=[0, 3]), ("crack", "dent"), params())
    assert [fault.offender for fault in faults] == ["b: values 0, 3; expected 0..2"]


def test_anti_aliased_masks_are_binary_with_one_label():
    rule, faults = choose_rule(summaries(a=[0, 5, 90, 255], b=[0], c=[0, 128]), None, params())
    assert (rule.kind, rule.labels, faults) == ("binary", ("defect",), [])


def test_the_params_or_the_source_name_the_label_of_binary_masks():
    masks = summaries(a=[0, 255])
    assert choose_rule(masks, None, params(classes=["dent"]))[0].labels == ("dent",)
    assert choose_rule(masks, ("chip",), params(classes=["dent"]))[0].labels == ("chip",)


@pytest.mark.parametrize("named", [("dent", "crack"), None])
def test_two_names_for_binary_masks_are_an_error(named: tuple[str, ...] | None):
    expected = "the masks are binary, but 2 labels are named: dent, crack; name one, or none"
    with pytest.raises(DataError, match=expected):
        choose_rule(summaries(a=[0, 255]), named, params(classes=["dent", "crack"]))


def test_values_that_fit_neither_are_faults():
    _, faults = choose_rule(summaries(a=[0, 255], b=[0, 90], c=[0]), None, params())
    expected = "b: values 0, 90; expected 0 and above 127, as in the other masks"
    assert [fault.offender for fault in faults] == [expected]


def test_index_masks_among_binary_ones_are_faults():
    _, faults = choose_rule(summaries(a=[0, 255], b=[0, 1], c=[0, 200]), None, params())
    assert [fault.offender.partition(";")[0] for fault in faults] == ["b: values 0, 1"]


def test_binary_masks_among_index_ones_are_faults():
    _, faults = choose_rule(summaries(a=[0, 1], b=[0, 1, 255], c=[0, 2]), None, params())
    expected = "b: values 0, 1, 255; the other 2 masks hold class indexes"
    assert [fault.offender for fault in faults] == [expected]


def test_many_values_are_shown_in_short():
    _, faults = choose_rule(summaries(a=[0, 255], b=list(range(100))), None, params())
    assert faults[0].offender.startswith("b: values 0, 1, 2 … 99 (100 of them);")


def test_six_values_are_shown_in_full():
    _, faults = choose_rule(summaries(a=[0, 255], b=[0, 1, 2, 3, 4, 99]), None, params())
    assert faults[0].offender.startswith("b: values 0, 1, 2, 3, 4, 99;")


def test_a_set_of_empty_masks_is_binary_where_nobody_names_values():
    rule, faults = choose_rule(summaries(a=[0], b=[0]), None, params())
    assert (rule.kind, rule.labels, faults) == ("binary", ("defect",), [])


def test_a_set_of_empty_masks_keeps_all_labels_that_the_source_names():
    rule, faults = choose_rule(summaries(a=[0]), ("crack", "dent"), params())
    assert (rule.kind, rule.labels, faults) == ("index", ("crack", "dent"), [])


def test_an_index_is_never_larger_than_31():
    rule, faults = choose_rule(summaries(a=[0, 31], b=[0, 32]), None, params(mask_kind="index"))
    assert len(rule.labels) == 31
    assert [fault.offender for fault in faults] == ["b: values 0, 32; expected 0..31"]


def test_the_params_may_say_that_small_values_are_binary():
    masks = summaries(a=[0, 31])
    assert choose_rule(masks, None, params())[0].kind == "index"
    assert choose_rule(masks, None, params(mask_kind="binary"))[0].kind == "binary"


def test_binary_masks_none_of_which_passes_the_threshold_are_faults():
    masks = summaries(a=[0, 1], b=[0])
    _, faults = choose_rule(masks, None, params(mask_kind="binary"))
    expected = "a: values 0, 1; no mask of the set has a value above 127"
    assert [fault.offender for fault in faults] == [expected]
    assert choose_rule(masks, None, params(mask_kind="binary", mask_threshold=0))[1] == []


def test_a_binary_value_must_be_above_the_threshold():
    rule = MaskRule("binary", ("defect",), 127)
    values = np.array([[0, 126, 127, 128, 255]], dtype=np.uint8)
    assert rule.to_index(values, None, {"defect": 1}).tolist() == [[0, 0, 0, 1, 1]]
    assert rule.is_empty(MaskSummary(bytes([0, 127]), 1, 1))
    assert not rule.is_empty(MaskSummary(bytes([0, 128]), 1, 1))


def test_an_index_becomes_what_the_class_map_says():
    rule = MaskRule("index", ("crack", "dirt", "hairline"), 127)
    indexes = rule.to_index(mask("0123"), None, {"crack": 2, "dirt": 0, "hairline": 2})
    assert (indexes.tolist(), indexes.dtype) == ([[0, 2, 0, 2]], np.uint8)
    assert not rule.is_empty(MaskSummary(bytes([0, 1]), 1, 1))


def test_a_folder_gives_its_masks_its_label():
    rule, faults = choose_folder_rule(summaries(a=[0, 255]), ["blowhole", "crack"], params())
    assert (rule.kind, rule.labels, faults) == ("binary", ("blowhole", "crack"), [])
    values, index = np.array([[0, 255]], dtype=np.uint8), {"blowhole": 1, "crack": 2}
    assert rule.to_index(values, "crack", index).tolist() == [[0, 2]]
    assert rule.to_index(values, "clean", index).tolist() == [[0, 0]]


def test_index_masks_in_class_folders_are_an_error():
    with pytest.raises(DataError, match="mask_kind is index, but the folders name the classes"):
        choose_folder_rule({}, ["crack"], params(mask_kind="index"))


def test_class_folders_without_a_defect_are_an_error():
    with pytest.raises(DataError, match="there is no defect to learn"):
        choose_folder_rule({}, [], params())


def test_zero_and_one_masks_in_class_folders_are_faults_and_not_all_empty():
    _, faults = choose_folder_rule(summaries(a=[0, 1], b=[0, 1]), ["crack"], params())
    assert len(faults) == 2
