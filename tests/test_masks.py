"""masks: what the values of a set of masks mean, worked out by hand."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from conftest import mask
from defectseg.data.masks import (
    MaskParams,
    MaskRule,
    MaskSummary,
    choose_folder_rule,
    choose_rule,
    summarise_mask,
)
from defectseg.errors import DataError


def params(**changes: Any) -> MaskParams:
    given = {"mask_kind": "auto", "mask_threshold": 127, "classes": None}
    return MaskParams.model_validate(given | changes)


def summaries(**values: list[int]) -> dict[str, MaskSummary]:
    """Masks of one row with these values."""
    return {name: summarise_mask(np.array([row], np.uint8)) for name, row in values.items()}


def test_a_summary_keeps_the_distinct_values_and_the_size():
    assert summarise_mask(mask("020\n290")) == MaskSummary(bytes([0, 2, 9]), width=3, height=2)


def test_masks_with_small_values_hold_class_indexes():
    rule, faults = choose_rule(summaries(a=[0, 1], b=[0, 3]), params())
    assert (rule.kind, rule.classes, faults) == ("index", ("class_1", "class_2", "class_3"), [])


def test_the_params_name_the_classes_of_an_index():
    rule, faults = choose_rule(summaries(a=[0, 1]), params(classes=["crack", "dent"]))
    assert (rule.kind, rule.classes, faults) == ("index", ("crack", "dent"), [])


def test_an_index_above_the_named_classes_is_a_fault():
    _, faults = choose_rule(summaries(a=[0, 1], b=[0, 3]), params(classes=["crack", "dent"]))
    assert [fault.offender for fault in faults] == ["b: values 0, 3; expected 0..2"]


def test_anti_aliased_masks_are_binary_with_one_class():
    rule, faults = choose_rule(summaries(a=[0, 5, 90, 255], b=[0], c=[0, 128]), params())
    assert (rule.kind, rule.classes, faults) == ("binary", ("defect",), [])


def test_the_params_name_the_class_of_binary_masks():
    assert choose_rule(summaries(a=[0, 255]), params(classes=["dent"]))[0].classes == ("dent",)


def test_two_names_for_binary_masks_are_an_error():
    with pytest.raises(DataError, match=r"binary, but data_load\.classes names 2 classes"):
        choose_rule(summaries(a=[0, 255]), params(classes=["dent", "crack"]))


def test_values_that_fit_neither_are_faults():
    _, faults = choose_rule(summaries(a=[0, 255], b=[0, 90], c=[0]), params())
    expected = "b: values 0, 90; expected 0 and above 127, as in the other masks"
    assert [fault.offender for fault in faults] == [expected]


def test_index_masks_among_binary_ones_are_faults():
    _, faults = choose_rule(summaries(a=[0, 255], b=[0, 1], c=[0, 200]), params())
    assert [fault.offender.partition(";")[0] for fault in faults] == ["b: values 0, 1"]


def test_binary_masks_among_index_ones_are_faults():
    _, faults = choose_rule(summaries(a=[0, 1], b=[0, 1, 255], c=[0, 2]), params())
    expected = "b: values 0, 1, 255; the other 2 masks hold class indexes"
    assert [fault.offender for fault in faults] == [expected]


def test_many_values_are_shown_in_short():
    _, faults = choose_rule(summaries(a=[0, 255], b=list(range(100))), params())
    assert faults[0].offender.startswith("b: values 0, 1, 2 … 99 (100 of them);")


def test_a_set_of_empty_masks_is_binary():
    rule, faults = choose_rule(summaries(a=[0], b=[0]), params())
    assert (rule.kind, rule.classes, faults) == ("binary", ("defect",), [])


def test_an_index_is_never_larger_than_31():
    rule, faults = choose_rule(summaries(a=[0, 31], b=[0, 32]), params(mask_kind="index"))
    assert len(rule.classes) == 31
    assert [fault.offender for fault in faults] == ["b: values 0, 32; expected 0..31"]


def test_binary_masks_none_of_which_passes_the_threshold_are_faults():
    masks = summaries(a=[0, 1], b=[0])
    _, faults = choose_rule(masks, params(mask_kind="binary"))
    expected = "a: values 0, 1; no mask of the set has a value above 127"
    assert [fault.offender for fault in faults] == [expected]
    assert choose_rule(masks, params(mask_kind="binary", mask_threshold=0))[1] == []


def test_a_binary_value_must_be_above_the_threshold():
    rule = MaskRule("binary", ("defect",), 127)
    values = np.array([[0, 126, 127, 128, 255]], dtype=np.uint8)
    assert rule.to_index(values, None).tolist() == [[0, 0, 0, 1, 1]]


def test_a_folder_gives_its_masks_its_class():
    folders = ["crack", "blowhole", "clean"]
    rule, faults = choose_folder_rule(summaries(a=[0, 255]), folders, params())
    assert (rule.classes, faults) == (("blowhole", "crack"), [])
    indexes = rule.to_index(np.array([[0, 255]], dtype=np.uint8), "crack")
    assert (indexes.tolist(), indexes.dtype) == ([[0, 2]], np.uint8)


def test_the_params_may_order_the_classes_of_folders():
    rule, _ = choose_folder_rule({}, ["crack"], params(classes=["crack", "blowhole"]))
    assert rule.classes == ("crack", "blowhole")


def test_a_class_folder_that_the_params_do_not_name_is_an_error():
    with pytest.raises(DataError, match=r"class folders \['dent'\] are not in data_load.classes"):
        choose_folder_rule({}, ["crack", "dent"], params(classes=["crack"]))


def test_index_masks_in_class_folders_are_an_error():
    with pytest.raises(DataError, match="in class_folders the folder names the class"):
        choose_folder_rule({}, ["crack"], params(mask_kind="index"))


def test_class_folders_without_a_defect_are_an_error():
    with pytest.raises(DataError, match="there is no defect to learn"):
        choose_folder_rule({}, ["clean"], params())


def test_zero_and_one_masks_in_class_folders_are_faults_and_not_all_empty():
    _, faults = choose_folder_rule(summaries(a=[0, 1], b=[0, 1]), ["crack"], params())
    assert len(faults) == 2


@pytest.mark.parametrize("classes", [[], ["Crack"], ["clean"], ["a", "a"]])
def test_names_that_are_no_classes_are_refused(classes: list[str]):
    with pytest.raises(ValidationError):
        params(classes=classes)
