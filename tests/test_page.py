"""page: what may be shipped, as people read it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from defectseg.export.facts import ExportFacts
from defectseg.export.page import write_page
from export_facts import differ, facts_of, good, offer


def page(folder: Path, facts: ExportFacts) -> str:
    write_page(folder / "index.html", facts)
    return (folder / "index.html").read_text(encoding="utf-8")


def words(html: str) -> str:
    """What a reader sees of it."""
    text = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_where_everything_is_offered_the_page_says_so(tmp_path: Path):
    text = words(page(tmp_path, facts_of(good("fp32"), good("int8"), good("fp16"))))
    assert "fp32, int8 and fp16 may be shipped" in text
    assert "on the 240 pictures of the test part" in text
    assert "✖ no" not in text
    assert "withdrawn" not in text


def test_each_number_stands_against_its_limit_and_the_broken_ones_are_marked(tmp_path: Path):
    bad = offer(differ("int8", "onnxruntime", dice_drop=0.0061, iou_drop={"crack": 0.002}))
    html = page(tmp_path, facts_of(good("fp32"), bad))
    text = words(html)
    assert "0.0061 ✖" in text
    assert "0.0020 ✖" not in text
    assert "int8 in ONNX Runtime is not offered: Dice drops by 0.0061, at most 0.005" in text
    assert "Limit 0.005 0.01 1 % – 0.0001, float32 only" in text
    assert html.count("✖ no") == 1


def test_a_file_that_no_engine_may_use_is_withdrawn(tmp_path: Path):
    bad = offer(differ("fp16", "onnxruntime", verdicts_changed=0.02))
    text = words(page(tmp_path, facts_of(good("fp32"), bad)))
    assert "withdrawn altogether: fp16" in text
    assert "fp32 may be shipped" in text
    assert "models/variants/unet.fp16.onnx" not in text
    assert "2.00 % ✖" in text


def test_a_class_that_is_nowhere_shows_a_dash_and_no_number_shows_in_words(tmp_path: Path):
    broken = offer(
        differ("fp16", "onnxruntime", max_abs_probability_difference=None, iou_drop={"crack": None})
    )
    text = words(page(tmp_path, facts_of(good("fp32"), broken)))
    assert "no number ✖" in text
    assert re.search(r"crack 0\.5000 0\.0000 –", text)


def test_a_hostile_class_name_stays_text(tmp_path: Path):
    name = "<script>alert(1)</script>"
    html = page(tmp_path, facts_of(good("fp32", name), classes=(name,)))
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_page_needs_nothing_beside_it(tmp_path: Path):
    html = page(tmp_path, facts_of(good("fp32"), good("int8")))
    assert "default-src 'none'" in html
    assert set(re.findall(r'(?:src|href)="([^"]+)"', html)) == {"../report/index.html"}
    assert "<script" not in html


def test_the_same_facts_give_the_same_page(tmp_path: Path):
    facts = facts_of(good("fp32"), good("int8"))
    assert page(tmp_path, facts) == page(tmp_path, facts)


def test_layers_that_stayed_in_float_are_named(tmp_path: Path):
    facts = facts_of(good("fp32"), good("int8"))
    assert "stayed in float32" not in page(tmp_path, facts)
    text = words(page(tmp_path, replace(facts, layers_in_float=("conv_1", "conv_7"))))
    assert "In INT8, 2 layers beside the first and the last" in text
    assert "conv_1, conv_7" in text


@pytest.mark.parametrize("count", [1, 30])
def test_any_number_of_classes_has_a_row_each(count: int, tmp_path: Path):
    names = tuple(f"class_{number:02}" for number in range(count))
    html = page(tmp_path, facts_of(good("fp32", *names), classes=names))
    assert all(f"<td>{name}</td>" in html for name in names)
