"""weakness: the weakest slices are marked, small ones never."""

from defectseg.evaluation.report.weakness import COLUMNS, mark_slices, weakest
from report_facts import make_metrics, make_slice

FIELDS = [column.field for column in COLUMNS]


def marks(slices, field: str) -> list[str]:
    """The names of the slices that are marked for a score."""
    column = FIELDS.index(field)
    groups = mark_slices(slices, make_metrics())
    return [
        row.slice.name for group in groups for row in group.rows if row.cells[column].is_weakest
    ]


def test_the_worst_of_each_group_is_marked_where_it_is_worse_than_the_whole():
    slices = [
        make_slice("light", "dark", escape_rate=0.4, dice_pooled=0.9),
        make_slice("light", "bright", escape_rate=0.2, dice_pooled=0.5),
        make_slice("place", "border", escape_rate=0.1, dice_pooled=0.76),
    ]
    assert marks(slices, "escape_rate") == ["dark"]
    assert marks(slices, "dice_pooled") == ["bright"]  # of Dice the lowest is the worst
    assert [group.name for group in mark_slices(slices, {})] == ["light", "place"]


def test_few_surfaces_say_little_and_are_never_the_weakest():
    slices = [
        make_slice("light", "dark", surfaces=4, escape_rate=1.0),
        make_slice("light", "bright", surfaces=5, escape_rate=0.2),
    ]
    assert marks(slices, "escape_rate") == ["bright"]
    (group,) = mark_slices(slices, make_metrics())
    assert [row.is_small for row in group.rows] == [True, False]


def test_an_undefined_score_is_a_dash_and_no_weakness():
    slices = [make_slice("class", "clean", escape_rate=None, dice_pooled=None)]
    (group,) = mark_slices(slices, make_metrics())
    texts = dict(zip(FIELDS, (cell.text for cell in group.rows[0].cells), strict=True))
    assert (texts["escape_rate"], texts["dice_pooled"]) == ("–", "–")
    assert marks(slices, "escape_rate") == []


def test_the_three_worst_slices_are_told_in_words_the_worst_first():
    rates = {"a": 0.2, "b": 0.5, "c": 0.3, "d": 0.4, "e": 0.1}
    slices = [make_slice("kind", name, escape_rate=rate) for name, rate in rates.items()]
    slices.append(make_slice("kind", "tiny", surfaces=1, escape_rate=1.0))
    told = weakest(slices, make_metrics())
    assert [sentence.split(":")[0] for sentence in told] == ["kind, b", "kind, d", "kind, c"]
    assert told[0].endswith(
        "50 of 100 pictures with a defect pass unseen; in the whole test part 15."
    )
    assert weakest(slices, {}) == []
