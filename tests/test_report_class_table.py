"""class_table: the rows of the classes and of the sizes of defects."""

from defectseg.evaluation.report.class_table import class_rows, size_rows
from report_facts import make_facts, make_slice


def test_a_class_has_its_escapes_its_overlap_and_what_they_rest_on():
    crack, blowhole = class_rows(make_facts())
    assert (crack.name, crack.colour, crack.pictures, crack.surfaces) == ("crack", "#e69f00", 4, 3)
    assert (crack.escapes.text, crack.escapes.interval) == ("25 of 100", "10 to 50")
    assert (crack.escapes.share, crack.escapes.ends) == (0.25, (0.1, 0.5))
    assert (crack.overlap.text, crack.overlap.ends) == ("0.500", None)
    assert (crack.is_small, blowhole.is_small) == (True, False)


def test_a_class_that_was_not_tested_has_dashes():
    crack = class_rows(make_facts(metrics={}, parts={}))[0]
    assert (crack.pictures, crack.escapes.text, crack.escapes.share) == (0, "–", None)


def test_sizes_are_the_slices_by_size():
    slices = [
        make_slice("size of the defect", "below 0.1 %", escape_rate=0.5, defects_found=0.25),
        make_slice("brightness", "lowest quarter"),
    ]
    (row,) = size_rows(slices)
    assert (row.name, row.colour, row.pictures) == ("below 0.1 %", "", 4)
    assert (row.escapes.text, row.overlap.text) == ("50 of 100", "25 of 100")
