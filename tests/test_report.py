"""report: the page that a person looks at."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from defectseg.data.quality.agreement import AgreementParams, measure_agreement
from defectseg.data.quality.findings import Facts, Finding, LeftOut
from defectseg.data.quality.report import write_report
from defectseg.data.surfaces.find import Pair
from defectseg.data.tile import TileSet
from facts import grain, make_facts, make_measure, make_tile, measure_set, photograph, write_set

EVIL = "<script>alert('&\"')</script>"
VOID = {"meta", "img", "rect", "br"}


class Page(HTMLParser):
    """What is in a page: elements, text, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.faults: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID - {"rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    """Two photographs of a surface with a dent, two of a clean one."""
    drawn = np.zeros((120, 130), dtype=np.uint8)
    drawn[40:50, 50:60] = 2
    pictures = {
        name: photograph(grain(ord(name[0])), brightness=90 + int(name[1]))
        for name in ("a1", "a2", "b1", "b2")
    }
    surfaces = {name: name[0] for name in pictures}
    return write_set(tmp_path / "tiles", pictures, {"a1": drawn, "a2": drawn}, surfaces)


@pytest.fixture
def facts(tiles: TileSet) -> Facts:
    """What was measured of them; they agree fully."""
    pairs = [Pair("a1", "a2", 0.9, (False, False), (0, 0))]
    nearest = (Pair("a1", "b1", 0.183, (True, False), (0, 0)),)
    agreement = measure_agreement(tiles, pairs, AgreementParams(pairs=9))
    return make_facts(
        measure_set(tiles), tiles=tiles.tiles, agreement=agreement, similarity=0.2, nearest=nearest
    )


def page_of(path: Path, *args: object) -> Page:
    write_report(path / "index.html", *args)
    page = Page((path / "index.html").read_text(encoding="utf-8"))
    assert (page.open, page.faults) == ([], [])
    return page


def test_the_verdict_counts_errors_and_warnings(tmp_path: Path, facts: Facts, tiles: TileSet):
    finding = Finding("tiny_defects", "warning", "One.", ("a1",), ("speck",))
    page = page_of(tmp_path, facts, [finding], tiles)
    assert "0 errors, 1 warning These data can be trained on" in page.text
    errors = [replace(finding, severity="error"), finding]
    assert "1 error, 1 warning These data must not" in page_of(tmp_path, facts, errors, tiles).text
    assert "0 errors, 0 warnings No check" in page_of(tmp_path, facts, [], tiles).text


def test_errors_come_before_warnings(tmp_path: Path, facts: Facts, tiles: TileSet):
    findings = [
        Finding("tiny_defects", "warning", "One.", ("a1",)),
        Finding("full_masks", "error", "Two.", ("a2",)),
    ]
    page = page_of(tmp_path, facts, findings, tiles)
    headings = [attrs["id"] for attrs in page.all("h2") if "id" in attrs]
    assert headings == ["full_masks", "tiny_defects", "agreement"]


def test_nothing_is_loaded_and_nothing_runs(tmp_path: Path, facts: Facts, tiles: TileSet):
    page = page_of(tmp_path, facts, [Finding("tiny_defects", "error", "One.", ("a1",))], tiles)
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert all(str(attrs["src"]).startswith("data:image/jpeg;base64,") for attrs in page.all("img"))
    assert all(str(attrs["href"]).startswith("#") for attrs in page.all("a"))
    assert "http" not in (tmp_path / "index.html").read_text(encoding="utf-8").replace(
        "http-equiv", ""
    )


def test_every_picture_says_what_it_shows(tmp_path: Path, facts: Facts, tiles: TileSet):
    alts = {str(attrs["alt"]) for attrs in page_of(tmp_path, facts, [], tiles).all("img")}
    assert "a1: dent, 100 px of defect outlined" in alts
    assert all(alts)


def test_names_cannot_break_out_of_the_page(tmp_path: Path, facts: Facts, tiles: TileSet):
    findings = [
        Finding("tiny_defects", "error", EVIL, (EVIL,), (EVIL,), ((EVIL, EVIL),), (EVIL,)),
        Finding("no_mask", "error", EVIL, (EVIL,), (EVIL,)),
    ]
    evil_tiles = [replace(tile, surface=EVIL) for tile in facts.tiles]
    evil = replace(facts, tiles=evil_tiles, classes=(EVIL, "dent"), surface_source=EVIL)
    page = page_of(tmp_path, evil, findings, tiles, [LeftOut(EVIL, EVIL, EVIL)])
    assert not page.all("script")
    assert page.text.count("alert('&\"')") >= 8


def test_pairs_are_shown_side_by_side(tmp_path: Path, facts: Facts, tiles: TileSet):
    pairs = (("a1", "a2"),)
    finding = Finding("near_duplicates", "warning", "One.", ("a1", "a2"), (), pairs, ("0.3 apart",))
    page = page_of(tmp_path, facts, [finding], tiles)
    assert "a1 a2 0.3 apart" in page.text
    assert "1 pair " in page.text


def test_of_many_pictures_twelve_are_drawn_and_all_are_named(
    tmp_path: Path, facts: Facts, tiles: TileSet
):
    before = len(page_of(tmp_path, facts, [], tiles).all("img"))
    names = tuple(f"x{k:02}" for k in range(30))
    finding = Finding("tiny_defects", "error", "Many.", ("a1",) * 30 + names)
    page = page_of(tmp_path, facts, [finding], tiles)
    assert len(page.all("img")) == before + 12
    assert all(name in page.text for name in names)
    assert "The names of all 60 pictures" in page.text


def test_files_that_are_no_tiles_are_listed_with_what_is_wrong(
    tmp_path: Path, facts: Facts, tiles: TileSet
):
    finding = Finding("sizes", "error", "One.", ("images/x.png",), ("picture 3×4, mask 4×3",))
    page = page_of(tmp_path, facts, [finding], tiles, [LeftOut("images/x.png", "sizes", "3×4")])
    assert "images/x.png picture 3×4, mask 4×3" in page.text
    assert "Left out Files" in page.text
    assert "images/x.png sizes 3×4" in page.text


def test_label_agreement_is_a_table_with_the_pairs_that_agree_least(
    tmp_path: Path, facts: Facts, tiles: TileSet
):
    text = page_of(tmp_path, facts, [], tiles).text
    assert "any defect 1 1.000 1.000 crack 0 – – dent 1 1.000 1.000" in text
    assert "The pairs that agree least a1 a2 Dice 1.00" in text


def test_the_pairs_that_agree_least_are_not_shown_twice(
    tmp_path: Path, facts: Facts, tiles: TileSet
):
    finding = Finding("label_agreement", "warning", "One.", ("a1", "a2"), (), (("a1", "a2"),))
    assert "agree least" not in page_of(tmp_path, facts, [finding], tiles).text


def test_the_pairs_nearest_to_the_threshold_are_shown(tmp_path: Path, facts: Facts, tiles: TileSet):
    text = page_of(tmp_path, facts, [], tiles).text
    assert "above 0.2 are taken for one surface" in text
    assert "a1 b1 similarity 0.183, mirrored" in text
    without = replace(facts, nearest=(), similarity=None, surface_source="none")
    assert "Nearest to the threshold" not in page_of(tmp_path, without, [], tiles).text


def test_each_class_is_shown_by_pictures_of_different_surfaces(
    tmp_path: Path, facts: Facts, tiles: TileSet
):
    text = page_of(tmp_path, replace(facts, nearest=()), [], tiles).text
    overview = text[text.index("Some pictures of each class") :]
    assert re.findall(r"\b[ab]\d\b", overview) == ["a1", "b1"]


def test_histograms_have_a_bar_for_each_group_of_pictures(tmp_path: Path, tiles: TileSet):
    widths = [100, 100, 100, 300]
    measures = {f"p{k}": make_measure(f"{k}", width=w) for k, w in enumerate(widths)}
    page = page_of(tmp_path, make_facts(measures), [], tiles)
    bars = [rect for rect in page.all("rect") if rect["x"] in {"0.08", "39.08"}]
    assert [(b["x"], b["height"]) for b in bars[:2]] == [("0.08", "98.0"), ("39.08", "32.7")]
    assert "100 median 100 300" in page.text


def test_a_set_without_pictures_has_a_page(tmp_path: Path, tiles: TileSet):
    finding = Finding("unreadable", "error", "One.", ("x.png",), ("damaged",))
    page = page_of(tmp_path, make_facts({}), [finding], tiles.only([]))
    assert "1 error, 0 warnings" in page.text
    assert "it cannot be said" in page.text


def test_the_page_stays_small_for_any_number_of_pictures(
    tmp_path: Path, tiles: TileSet, facts: Facts
):
    many = 5000
    measures = {f"picture_{k:05}": make_measure(f"{k}") for k in range(many)}
    names = tuple(measures)
    pairs = (("a1", "a2"),) * many
    findings = [
        Finding(check, "error", "Many.", names, ("said",) * many, pairs, ("apart",) * many)
        for check in ("exact_duplicates", "near_duplicates", "mixed_labels", "tiny_defects")
    ]
    left_out = [LeftOut(f"images/{name}.png", "no_mask", "no mask") for name in names]
    all_tiles = [make_tile(name) for name in names]
    big = make_facts(measures, tiles=all_tiles, agreement=facts.agreement)
    page = page_of(tmp_path, big, findings, tiles, left_out)
    assert (tmp_path / "index.html").stat().st_size < 3_000_000
    assert "picture_04999" not in page.text
    assert "… and 3000 more: see data_quality.json" in page.text
    assert "… and 3000 more: see quarantine.csv" in page.text
    assert "5000 files left out" in page.text


def test_the_same_facts_are_the_same_bytes(tmp_path: Path, facts: Facts, tiles: TileSet):
    finding = Finding("tiny_defects", "error", "One.", ("a1",))
    for name in ("one", "two"):
        write_report(tmp_path / name, facts, [finding], tiles)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
