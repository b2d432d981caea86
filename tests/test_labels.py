"""labels: what a source calls a defect, and the label of a picture that shows none."""

import pytest

from defectseg.data.labels.label import NoDefect, to_label
from defectseg.data.tile import CLEAN
from defectseg.errors import LayoutError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MT_Blowhole", "blowhole"),
        ("Oil spot (2)", "oil_spot_2"),
        ("dark-spot", "dark_spot"),
        ("__dent__", "dent"),
        ("no defect", CLEAN),
        ("mt_mt_crack", "mt_crack"),
        ("goods", "goods"),
        ("Riß 1", "ri_1"),
    ]
    + [(name, CLEAN) for name in ("MT_Free", "good", "OK", "Clean", "normal", "Background")],
)
def test_a_name_says_its_label(name: str, expected: str):
    assert to_label(name) == expected


@pytest.mark.parametrize("name", ["裂纹", "", "-_-", "MT_"])
def test_a_name_without_a_letter_is_an_error(name: str):
    with pytest.raises(LayoutError, match="gives no class name; use letters a-z and digits"):
        to_label(name)


def test_no_defect_is_drawn_as_an_empty_mask_of_any_size():
    label = NoDefect()
    assert (label.size, label.names) == (None, frozenset())
    drawn = label.draw((3, 2), {"crack": 1})
    assert (drawn.tolist(), drawn.dtype.name) == ([[0, 0, 0], [0, 0, 0]], "uint8")
