"""page: the report that a quality manager reads and signs."""

import re
from pathlib import Path

import numpy as np
import pytest

from defectseg.evaluation.gallery import Panel
from defectseg.evaluation.gates import Gate
from defectseg.evaluation.report.facts import ReportFacts
from defectseg.evaluation.report.page import write_report
from defectseg.inference.operating_point import ClassPoint
from report_facts import EVIL, counted, make_facts, make_metrics, make_panel, make_point, make_slice
from test_report import Page
from tiny import model_info

ORDER = [
    "Operating point: when a picture is rejected",
    "Escapes and false alarms",
    "Where it is weak",
    "Calibration",
    "What the model says of each picture",
    "Pictures",
    "Training",
    "Data",
    "Model",
    "How to reproduce it",
    "Release",
    "Glossary",
]


def page_of(folder: Path, facts: ReportFacts) -> Page:
    """The page, whose every element is closed."""
    write_report(folder / "report/index.html", facts)
    page = Page((folder / "report/index.html").read_text(encoding="utf-8"))
    assert (page.open, page.faults) == ([], [])
    return page


def bare_facts(**changes: object) -> ReportFacts:
    """Facts of a test part of which nothing is known."""
    nothing = {
        "metrics": {},
        "gates": [],
        "curves": {},
        "reliability": {},
        "confusion": [],
        "slices": [],
        "galleries": {},
        "training": {},
        "parts": {},
    }
    return make_facts(**nothing | changes)


def test_the_verdict_is_the_first_thing_that_one_reads(tmp_path: Path):
    page = page_of(tmp_path, make_facts())
    assert page.text.startswith(" Model report: must not ship ✖ Must not ship 1 of 2 gates failed")
    assert "at most 10.0 of 100 15.0 of 100 5.0 to 30 ✖ failed : 5.0 of 100 too high" in page.text
    assert page.all("header")[0]["class"] == "verdict error"


def test_a_model_that_may_ship_is_green_and_one_without_gates_grey(tmp_path: Path):
    good = page_of(tmp_path, make_facts(gates=[Gate("iou_macro", 0.4, True, 0.612, True)]))
    grey = page_of(tmp_path, make_facts(gates=[]))
    assert (good.all("header")[0]["class"], grey.all("header")[0]["class"]) == (
        "verdict good",
        "verdict unknown",
    )
    assert "✔ May ship" in good.text
    assert "? No gates were set" in grey.text


def test_the_sections_come_in_the_order_of_the_questions(tmp_path: Path):
    write_report(tmp_path / "index.html", make_facts())
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", text) == ORDER


def test_headlines_are_plain_words_with_intervals(tmp_path: Path):
    text = page_of(tmp_path, make_facts()).text
    assert "15 of 100 pictures with a defect pass unseen 95 % interval: 5.0 to 30" in text
    assert "Measured on 8 defect pictures of 8 surfaces." in text


def test_the_operating_point_is_told_with_every_class(tmp_path: Path):
    text = page_of(tmp_path, make_facts()).text
    assert "Asked for: an escape costs 10, a false alarm 1 ." in text
    assert "crack 0.350 12 px 0.100 blowhole 0.600 4 px 0.500" in text
    assert "unseen 8.0 of 100 15 of 100 5.0 to 30 worse, but chance can explain it" in text


def test_weak_slices_are_marked_and_small_ones_are_grey(tmp_path: Path):
    page = page_of(tmp_path, make_facts())
    assert "lowest quarter 9 4 7 ▲ 40 10 80 0.759" in page.text
    assert "above 10 % (few surfaces) 9 4 2 100 10" in page.text
    assert sum(row.get("class") == "small" for row in page.all("tr")) == 3  # a class, a size twice


def test_the_confusion_of_pictures_is_a_table(tmp_path: Path):
    page = page_of(tmp_path, make_facts())
    assert "clean 9 1 0 10 crack 1 3 0 4 blowhole 0 0 4 4" in page.text
    assert sum(cell.get("class") == "right" for cell in page.all("td")) == 3


def test_galleries_show_three_views_and_say_when_they_are_empty(tmp_path: Path):
    page = page_of(tmp_path, make_facts())
    assert len(page.all("img")) == 6
    assert "picture truth prediction t00: crack, score 0.12" in page.text
    assert re.search(r"False alarms Good pictures[^.]*\. None\.", page.text)
    assert all(str(image["alt"]) for image in page.all("img"))


def test_charts_have_titles_descriptions_and_units(tmp_path: Path):
    page = page_of(tmp_path, make_facts())
    charts = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(charts) == 5  # two curves, reliability, loss, scores
    assert all(str(svg["aria-label"]).count(": ") for svg in charts)
    assert "Escapes of 100 defect pictures" in page.text
    assert "Predicted probability of a defect, %" in page.text
    assert {"title", "desc"} <= {name for name, _ in page.elements}


def test_nothing_is_loaded_and_nothing_runs(tmp_path: Path):
    page = page_of(tmp_path, make_facts())
    tags = {name for name, _ in page.elements}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "form", "base"})
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in page.all("img"))
    hrefs = {str(link["href"]) for link in page.all("a")}
    assert {href for href in hrefs if not href.startswith("#")} == {"../variants/index.html"}
    text = (tmp_path / "report/index.html").read_text(encoding="utf-8").replace("http-equiv", "")
    assert "http" not in text and "url(" not in text and "@import" not in text
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert str(policy).startswith("default-src 'none'")
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)


def test_every_link_inside_the_page_has_its_place(tmp_path: Path):
    page = page_of(tmp_path, make_facts())
    ids = {str(attrs["id"]) for _, attrs in page.elements if "id" in attrs}
    linked = {str(a["href"])[1:] for a in page.all("a") if str(a["href"]).startswith("#")}
    assert linked <= ids


def test_names_cannot_break_out_of_the_page(tmp_path: Path):
    facts = make_facts(
        info=model_info(classes=(EVIL, "b")),
        point=make_point(
            classes=(
                ClassPoint(defect_class=EVIL, threshold=0.5, min_area=1),
                ClassPoint(defect_class="b", threshold=0.5, min_area=1),
            ),
            rule=EVIL,
        ),
        gates=[Gate(f"iou_{EVIL}", 0.5, True, 0.4, False)],
        confusion=[(EVIL, "clean"), ("clean", EVIL)],
        slices=[make_slice(EVIL, EVIL, escape_rate=0.9)],
        galleries={EVIL: [make_panel(EVIL)]},
        training={f"valid_iou_{EVIL}": [0.1, 0.2]},
        parts={EVIL: {EVIL: counted(1, 1, 1)}},
    )
    page = page_of(tmp_path, facts)
    assert not page.all("script")
    assert page.text.count("<script>alert('&\"')</script>") >= 14
    assert "{{ 1 / 0 }}" in page.text


def test_unknown_numbers_are_dashes_and_never_none_or_nan(tmp_path: Path):
    text = page_of(tmp_path, bare_facts()).text
    assert "–" in text
    assert not re.search(r"\b(None|nan|undefined)\b(?!\.)", text.replace("None. ", ""))
    assert "No slices were measured" in text
    assert "No pictures were chosen" in text


@pytest.mark.parametrize("part", [{"clean": counted(4, 2, 0)}, {"crack": counted(4, 2, 50)}])
def test_a_part_of_one_kind_of_pictures_has_a_page(tmp_path: Path, part: dict):
    metrics = make_metrics(escape_rate=None, false_alarm_rate=None, defects_found_iou30=None)
    page = page_of(tmp_path, bare_facts(metrics=metrics, parts={"test": part}))
    assert "one kind is missing" in page.text


@pytest.mark.parametrize("number", [1, 30])
def test_one_class_and_thirty_classes_have_a_page(tmp_path: Path, number: int):
    names = tuple(f"class_{k:02}" for k in range(number))
    points = tuple(ClassPoint(defect_class=name, threshold=0.5, min_area=2) for name in names)
    facts = make_facts(
        info=model_info(classes=names),
        point=make_point(classes=points),
        confusion=[(name, name) for name in names],
        galleries={"best": [make_panel("x", kind=number)]},
    )
    page = page_of(tmp_path, facts)
    assert page.text.count(names[-1]) >= 4
    assert ("classes share them" in page.text) == (number > 6)


@pytest.mark.slow
def test_the_page_stays_below_five_megabytes(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3)).astype(np.uint8)
    drawn = np.zeros((400, 400), dtype=np.uint8)
    drawn[100:200, 100:200] = 1
    panels = [Panel("x", noise, drawn, drawn)] * 20
    galleries = dict.fromkeys(("misses", "false alarms", "best", "median", "worst"), panels)
    page = page_of(tmp_path, make_facts(galleries=galleries))
    assert len(page.all("img")) == 300
    assert (tmp_path / "report/index.html").stat().st_size < 5_000_000


def test_the_same_facts_are_the_same_bytes(tmp_path: Path):
    for name in ("one.html", "two.html"):
        write_report(tmp_path / name, make_facts())
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
