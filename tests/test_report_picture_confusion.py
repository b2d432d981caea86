"""picture_confusion: the table of actual and predicted classes."""

from defectseg.evaluation.report.picture_confusion import count_pictures

PAIRS = [("crack", "clean"), ("clean", "clean"), ("clean", "clean"), ("crack", "crack")]


def test_rows_are_the_truth_and_columns_what_is_said():
    table = count_pictures([*PAIRS, ("crack", "crack"), ("crack", "crack")], ["crack"])
    assert table.names == ("clean", "crack")
    clean, crack = table.rows
    assert (clean.counts, clean.pictures) == ((2, 0), 2)
    assert (crack.counts, crack.shares) == ((1, 3), (0.25, 0.75))


def test_names_keep_the_order_of_the_model_and_unknown_ones_come_last():
    table = count_pictures([("z", "b"), ("a", "x"), ("clean", "a")], ["b", "a", "unseen"])
    assert table.names == ("clean", "b", "a", "x", "z")
    assert [row.name for row in table.rows] == ["clean", "a", "z"]


def test_no_pictures_are_no_rows():
    assert count_pictures([], ["crack"]).rows == ()
