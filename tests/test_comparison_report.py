"""The reports of a comparison: Markdown for a comment, one HTML page, JSON."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from compared import FREE, GOOD, POOR, SPECK, picture, test_part, write_revision
from defectseg.comparison.changes import Changes
from defectseg.comparison.compare import compare_revisions
from defectseg.comparison.markdown import LIMIT, MARKER, code, plain, write_markdown
from defectseg.comparison.overlays import Overlays, translate
from defectseg.comparison.page import Drawings, render_page
from defectseg.comparison.pictures import choose_changes
from defectseg.comparison.plots import read_points
from defectseg.comparison.report import Report, headline, to_json
from defectseg.revisions.revision import Revision

GATES = {"iou_pooled": 0.5, "escape_rate": 0.9}
NOTHING = Changes((), None, "", (), ())
HOSTILE = "<script>alert(1)</script>|`x`\n@all [a](https://example.com) ![](www.example.com)"
UNDRAWN = Drawings((), Overlays((), (), ()), ())


def report_of(folder: Path, base=None, head=None, changes: Changes = NOTHING) -> Report:
    first = write_revision(folder / "base", base or test_part([GOOD] * 8), "main", GATES)
    second = write_revision(folder / "head", head or test_part([POOR] * 8), "workspace", GATES)
    comparison = compare_revisions(first, second, draws=600)
    assert comparison.pairs is not None
    return Report(comparison, changes, choose_changes(comparison.pairs))


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return report_of(tmp_path)


def test_the_comment_opens_with_the_verdict_and_has_the_marker_once(report: Report):
    lines = write_markdown(report).splitlines()
    assert lines[0] == "**▼ Worse: iou\\_pooled; head fails its own gates**"
    assert lines[1] == MARKER
    assert "\n".join(lines).count(MARKER) == 1
    row = next(line for line in lines if line.startswith("| ◆ `iou_pooled`"))
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[1:6] == ["0.8333", "0.3333", "-0.5000", "-0.5000 to -0.5000", "**▼ worse**"]
    assert "fails 1 of its own 2 gates" in lines[3]


def test_every_metric_is_in_every_report(report: Report):
    markdown, page = write_markdown(report), render_page(report, UNDRAWN)
    names = [row.metric for row in report.comparison.judged]
    assert len(names) == 20
    assert all(f"`{name}`" in markdown and f"{name}</td>" in page for name in names)
    assert [row["metric"] for row in to_json(report)["metrics"]] == names
    json.dumps(to_json(report), allow_nan=False)


def test_names_from_a_fork_stay_text_in_the_comment(report: Report):
    changes = Changes(
        ((HOSTILE, HOSTILE, "1"),), None, HOSTILE, ((HOSTILE, (HOSTILE,)),), (HOSTILE,)
    )
    text = write_markdown(Report(report.comparison, changes, report.pictures))
    outside = re.sub(r"`[^`\n]*`", "", text.replace(MARKER, ""))
    assert "<script" not in outside.replace("\\<", "")
    assert "@all" not in outside
    assert "://" not in outside and "www.e" not in outside
    assert not re.search(r"(?<!\\)\]\(", outside)
    tables = [line for line in text.splitlines() if line.startswith("| `<script")]
    assert len(tables) == 2
    assert all(len(re.findall(r"(?<!\\)\|", line)) in {3, 4} for line in tables)


def test_code_and_plain_text_cannot_be_left():
    assert code("a`b|c\nd") == "`a'b\\|c d`"
    assert code("x" * 500) == f"`{'x' * 119}…`"
    assert code("") == "` `"
    assert plain("*a* <b> @c") == "\\*a\\* \\<b\\> @\u200bc"


def test_a_comment_is_never_too_long(report: Report):
    many = tuple((f"key{number}" + "k" * 200, "a" * 300, "b" * 300) for number in range(900))
    files = tuple(("src/" + "f" * 300 + str(number), ("train",) * 90) for number in range(900))
    changes = Changes(many, None, "n" * 5000, files, tuple("s" * 3000 for _ in range(50)))
    text = write_markdown(Report(report.comparison, changes, report.pictures))
    assert len(text) < LIMIT
    assert text.count("<details>") == text.count("</details>") > 0


def test_without_a_baseline_every_report_says_so(tmp_path: Path):
    head = write_revision(tmp_path / "head", test_part([GOOD] * 3), gates=GATES)
    comparison = compare_revisions(Revision("main", None, tmp_path), head)
    report = Report(comparison, NOTHING, ())
    assert headline(comparison).startswith("∅ No baseline")
    for text in (write_markdown(report), render_page(report, UNDRAWN)):
        assert "No baseline" in text and text.count("∅ no baseline") == 20


class Page(HTMLParser):
    """The tags of a page and the addresses that it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_and_escapes_every_name(report: Report):
    changes = Changes(
        ((HOSTILE, HOSTILE, "1"),), None, HOSTILE, ((HOSTILE, (HOSTILE,)),), (HOSTILE,)
    )
    told = Report(report.comparison, changes, report.pictures)
    page = Page(render_page(told, Drawings((), Overlays((), (), ()), (HOSTILE,))))
    assert "script" not in page.tags and "link" not in page.tags and "img" not in page.tags
    assert page.addresses == []
    assert page.text.count("<script>alert(1)</script>") == 7
    assert "t00, crack: reject → reject, Dice 0.91 → 0.50" in page.text


def test_too_few_surfaces_are_said(tmp_path: Path):
    for count, is_said in ((5, True), (6, False)):
        report = report_of(
            tmp_path / str(count), test_part([GOOD] * count, []), test_part([POOR] * count, [])
        )
        assert ("With fewer than 6 surfaces" in write_markdown(report)) is is_said


def test_pictures_whose_verdict_changed_come_before_those_whose_dice_did(tmp_path: Path):
    base = [
        picture(0, "##", "##", 0.9),
        picture(1, "##", "##", 0.9),
        picture(2, FREE, FREE, 0.0),
        picture(3, "##", "#.", 0.9, verdict="review"),
        picture(4, "##", "#.", 0.9),
    ]
    head = [
        picture(0, "##", "#.", 0.9),  # Dice 1 → 2/3
        picture(1, "##", "##", 0.1, verdict="accept"),  # two steps
        picture(2, FREE, SPECK, 0.9),  # two steps and Dice 1 → 0
        picture(3, "##", "#.", 0.9),  # one step
        picture(4, "##", "#.", 0.9),  # the same
    ]
    report = report_of(tmp_path, base, head)
    assert [change.id for change in report.pictures] == ["t02", "t01", "t03", "t00"]
    assert report.pictures[0].dice == (1.0, 0.0)
    assert report.pictures[0].caption == "t02, clean: accept → reject, Dice 1.00 → 0.00"
    assert len(choose_changes(report.comparison.pairs, most=2)) == 2


def test_a_mask_is_read_by_the_names_of_its_classes():
    mask = np.array([[0, 1, 2]], dtype=np.uint8)
    assert translate(mask, ("b", "c"), ("a", "b", "c")).tolist() == [[0, 2, 3]]


def test_only_the_points_of_test_are_drawn_and_empty_cells_are_left_out(tmp_path: Path):
    path = tmp_path / "escapes.csv"
    path.write_text("part,x,y\nvalid,0.1,0.1\ntest,0.25,0.5\ntest,,0.5\ntest,nan,1\n")
    points = read_points(path, ("x", "y"), lambda row: row["part"] == "test")
    assert points == [(25.0, 50.0)]
