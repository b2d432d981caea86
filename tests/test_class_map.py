"""class_map: which class each label becomes, by the params, worked out by hand."""

from typing import Any

import pytest
from pydantic import ValidationError

from defectseg.data.labels.class_map import ClassParams, check_class, map_classes
from defectseg.data.tile import CLEAN
from defectseg.errors import DataError, LayoutError

LABELS = ("crack", "hairline", "dirt")


def params(**changes: Any) -> ClassParams:
    given = {"classes": None, "rename": {}, "ignore": []}
    return ClassParams.model_validate(given | changes)


def test_without_params_the_labels_are_the_classes_in_their_order():
    class_map = map_classes(LABELS, params())
    assert class_map.classes == LABELS
    assert class_map.index == {"crack": 1, "hairline": 2, "dirt": 3}
    assert class_map.unused == ()


def test_the_params_may_order_the_classes_and_name_one_that_the_source_lacks():
    class_map = map_classes(("crack", "dirt"), params(classes=["dirt", "dent", "crack"]))
    assert class_map.classes == ("dirt", "dent", "crack")
    assert class_map.index == {"crack": 3, "dirt": 1}


def test_a_label_may_be_renamed():
    class_map = map_classes(LABELS, params(rename={"dirt": "stain"}))
    assert class_map.classes == ("crack", "hairline", "stain")
    assert class_map.class_of("dirt") == "stain"


def test_labels_of_one_class_are_merged():
    class_map = map_classes(LABELS, params(rename={"hairline": "crack"}))
    assert class_map.classes == ("crack", "dirt")
    assert class_map.index == {"crack": 1, "hairline": 1, "dirt": 2}


def test_labels_may_swap_their_names():
    class_map = map_classes(("a", "b"), params(rename={"a": "b", "b": "a"}))
    assert (class_map.classes, class_map.index) == (("b", "a"), {"a": 1, "b": 2})


def test_an_ignored_label_is_not_drawn_and_is_no_class():
    class_map = map_classes(LABELS, params(ignore=["crack"]))
    assert class_map.classes == ("hairline", "dirt")
    assert class_map.index == {"crack": 0, "hairline": 1, "dirt": 2}
    assert class_map.class_of("crack") == CLEAN


def test_an_ignored_label_needs_no_class():
    class_map = map_classes(LABELS, params(classes=["crack"], ignore=["dirt", "hairline"]))
    assert class_map.index == {"crack": 1, "hairline": 0, "dirt": 0}


def test_params_name_labels_as_the_source_does():
    given = params(rename={"MT_Dark Spot": "stain"}, ignore=["Hair-Line"])
    class_map = map_classes(("dark_spot", "hair_line"), given)
    assert class_map.index == {"dark_spot": 1, "hair_line": 0}


def test_labels_without_a_class_are_an_error_that_lists_them_all():
    expected = (
        r"labels \['dirt', 'hairline'\] are in no class: data_load\.classes is \['crack'\]; add "
        r"them there, give them a class in data_load\.rename, or name them in data_load\.ignore"
    )
    with pytest.raises(DataError, match=expected):
        map_classes(LABELS, params(classes=["crack"]))


def test_a_label_renamed_to_a_class_that_is_not_named_is_an_error():
    with pytest.raises(DataError, match=r"labels \['dirt'\] are in no class"):
        map_classes(LABELS, params(classes=["crack", "hairline"], rename={"dirt": "stain"}))


def test_what_rename_and_ignore_name_in_vain_is_told():
    class_map = map_classes(LABELS, params(rename={"dent": "crack"}, ignore=["scratch", "dirt"]))
    assert class_map.unused == ("dent", "scratch")


@pytest.mark.parametrize("labels", [(), ("dirt",)])
def test_a_source_without_a_label_to_draw_is_an_error(labels: tuple[str, ...]):
    with pytest.raises(DataError, match="there is no defect to learn"):
        map_classes(labels, params(ignore=["dirt"]))


def test_31_classes_are_the_most():
    labels = [f"c{k}" for k in range(32)]
    assert len(map_classes(labels[:31], params()).classes) == 31
    with pytest.raises(DataError, match=r"32 classes, more than 31: c0, .*c9, …; merge some"):
        map_classes(labels, params())
    assert len(map_classes(labels, params(rename={"c31": "c0"})).classes) == 31


def test_a_clean_picture_has_the_class_clean():
    assert map_classes(LABELS, params()).class_of(CLEAN) == CLEAN


@pytest.mark.parametrize("name", ["Crack", "clean", "", "a b", "a-b", "ä"])
def test_a_name_that_could_be_no_metric_is_no_class(name: str):
    with pytest.raises(ValueError, match="is no class name: a-z, 0-9 and _, and not 'clean'"):
        check_class(name)
    with pytest.raises(ValidationError, match="is no class name"):
        params(classes=[name])
    with pytest.raises(ValidationError, match="is no class name"):
        params(rename={"dirt": name})


def test_a_class_named_twice_is_refused():
    with pytest.raises(ValidationError, match=r"a class is named twice in \['a', 'b', 'a'\]"):
        params(classes=["a", "b", "a"])


def test_no_classes_at_all_are_refused():
    with pytest.raises(ValidationError, match="at least 1 item"):
        params(classes=[])


@pytest.mark.parametrize("changes", [{"ignore": ["?"]}, {"rename": {"?": "crack"}}])
def test_a_label_without_a_letter_is_refused(changes: dict[str, Any]):
    with pytest.raises((ValidationError, LayoutError), match="gives no class name"):
        params(**changes)
