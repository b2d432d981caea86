"""model_card: what one must know to use the model, as Markdown."""

import re
from pathlib import Path

import pytest

from defectseg.evaluation.report.facts import ReportFacts
from defectseg.evaluation.report.model_card import escape_markdown, write_model_card
from defectseg.inference.operating_point import ClassPoint
from report_facts import EVIL, counted, make_facts, make_point, make_slice
from tiny import model_info

HEADINGS = [
    "Model details",
    "Intended use and limits",
    "Training data",
    "Evaluation data",
    "Metrics",
    "Operating point",
    "Where it is weak",
    "How to reproduce it",
    "Caveats and recommendations",
]


def card_of(folder: Path, facts: ReportFacts) -> str:
    write_model_card(folder / "docs/model_card.md", facts)
    return (folder / "docs/model_card.md").read_text(encoding="utf-8")


def tables(card: str) -> list[list[str]]:
    """The rows of every table."""
    blocks = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    return [block.splitlines() for block in blocks]


def cells(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row)) - 1


def test_the_headings_are_those_of_a_model_card(tmp_path: Path):
    card = card_of(tmp_path, make_facts())
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == HEADINGS
    assert card.startswith("# Model card\n")
    assert card.endswith(".\n") and "\n\n\n" not in card


def test_every_row_of_a_table_has_as_many_cells_as_its_head(tmp_path: Path):
    found = tables(card_of(tmp_path, make_facts()))
    assert len(found) == 9
    for rows in found:
        assert {cells(row) for row in rows} == {cells(rows[0])}
        assert set(rows[1]) == {"|", "-"}


def test_the_verdict_and_the_numbers_are_those_of_the_page(tmp_path: Path):
    card = card_of(tmp_path, make_facts())
    assert "**Must not ship.** 1 of 2 gates failed on the test part" in card
    assert "- **15** of 100 pictures with a defect pass unseen (95 % interval 5.0 to 30; " in card
    assert "| Dice, all pixels together | 0.759 | 0.600 to 0.900 | dice\\_pooled |" in card
    assert "| crack | 4 | 3 | 25 of 100 | 10 to 50 | 0.500 | – |" in card


def test_training_and_evaluation_data_are_kept_apart(tmp_path: Path):
    card = card_of(tmp_path, make_facts())
    training, evaluation = (
        card.split(f"## {title}\n")[1].split("\n## ")[0]
        for title in ("Training data", "Evaluation data")
    )
    assert "| train | crack | 12 | 6 | 2400 |" in training and "| test |" not in training
    assert "| test | crack | 4 | 3 | 1234 |" in evaluation and "| train |" not in evaluation


def test_weak_slices_are_bold_and_small_ones_say_so(tmp_path: Path):
    card = card_of(tmp_path, make_facts())
    assert "| brightness | lowest quarter | 9 | 7 | **40** | 10 | 80 | 0.759 |" in card
    assert "| size of the defect | above 10 % (few surfaces) | 9 | 2 | 100 | 10 |" in card
    assert "No slices were measured." in card_of(tmp_path, make_facts(slices=[]))


def test_a_review_is_told_only_where_there_is_one(tmp_path: Path):
    assert "rejects it or gives it to a person," in card_of(tmp_path, make_facts())
    point = make_point(review=0.7)
    assert "rejects it, and shows where" in card_of(tmp_path, make_facts(point=point))


def test_it_has_no_picture_and_no_path_of_the_machine(tmp_path: Path):
    card = card_of(tmp_path, make_facts())
    assert "![" not in card and "<img" not in card and str(tmp_path) not in card


def test_names_cannot_break_a_table_or_run(tmp_path: Path):
    evil = f"{EVIL}\n# heading"
    point = make_point(
        classes=(ClassPoint(defect_class=evil, threshold=0.5, min_area=1),), rule=evil
    )
    facts = make_facts(
        info=model_info(classes=(evil,)),
        point=point,
        slices=[make_slice(evil, evil, escape_rate=0.9)],
        parts={"train": {evil: counted(1, 1, 1)}, "test": {evil: counted(1, 1, 1)}},
    )
    card = card_of(tmp_path, facts)
    assert "<script" not in card and "](y)" not in card.replace("\\](y)", "")
    assert re.findall(r"^#.*$", card, re.MULTILINE)[0] == "# Model card"
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == HEADINGS
    assert not re.search(r"^# heading", card, re.MULTILINE)
    for rows in tables(card):
        assert {cells(row) for row in rows} == {cells(rows[0])}


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", "a\\|b"),
        ("_x_ *y* `z`", "\\_x\\_ \\*y\\* \\`z\\`"),
        ("[x](y)", "\\[x\\](y)"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("one\n# two\r\n\tthree", "one \\# two three"),
        ("\\", "\\\\"),
        (0.5, "0.5"),
    ],
)
def test_markdown_shows_a_name_as_it_is(text: object, escaped: str):
    assert str(escape_markdown(text)) == escaped


def test_unknown_numbers_are_dashes(tmp_path: Path):
    nothing = {"metrics": {}, "parts": {}, "slices": [], "gates": [], "training": {}}
    card = card_of(tmp_path, make_facts(**nothing))
    assert "**No gates were set.**" in card
    assert "| Dice, all pixels together | – | – |" in card
    assert not re.search(r"\b(None|nan)\b", card.replace("None of", ""))


def test_the_same_facts_are_the_same_bytes(tmp_path: Path):
    assert card_of(tmp_path / "a", make_facts()) == card_of(tmp_path / "b", make_facts())
