"""The page in a real browser: pictures in, verdicts, overlays, tables and files out."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from browser import PATIENCE_MS, Shown, chromium, showing
from conftest import mask
from drawn_model import paint
from live_service import LiveService, serving

# 16 × 12 px: a crack of 3 × 2 with the box 2, 3, 5, 5 and a blowhole of 4 × 3 with 9, 6, 13, 9.
DRAWING = """
    ................
    ................
    ................
    ..111...........
    ..111...........
    ................
    .........2222...
    .........2222...
    .........2222...
    ................
    ................
    ................
"""
CLEAN = "................\n" * 12
CRACK, BLOWHOLE = (230, 159, 0), (86, 180, 233)  # the colours of the classes 1 and 2
RED, BLACK = (255, 0, 0), (0, 0, 0)  # of the painted picture: the crack, and where nothing is


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with serving(tmp_path_factory.mktemp("service"), mm_per_pixel=0.5) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def shown(browser: Browser, service: LiveService) -> Iterator[Shown]:
    with showing(browser, service.url) as opened:
        yield opened


def picture(name: str, drawing: str = DRAWING, level: int = 255) -> dict[str, object]:
    """A painted picture as a file that a person chooses."""
    return encoded(name, paint(drawing, level))


def encoded(name: str, array: npt.NDArray[np.uint8], **options: object) -> dict[str, object]:
    """An array as a file of the kind that its name says."""
    content = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF", "webp": "WEBP", "png": "PNG"}[name.rpartition(".")[2]]
    Image.fromarray(array).save(content, kind, **options)
    return {"name": name, "mimeType": "image/png", "buffer": content.getvalue()}


def close_to(colour: tuple[int, int, int], tolerance: int = 2) -> object:
    return pytest.approx(colour, abs=tolerance)


def test_chosen_pictures_get_their_verdicts_and_nothing_goes_wrong(shown: Shown):
    shown.add(picture("bad.png"), picture("doubtful.png", level=180), picture("good.png", CLEAN))
    shown.wait_done(3)
    assert shown.rows() == [
        "bad.png: Reject · 2 defects · 1.00",
        "doubtful.png: Review · 2 defects · 0.71",
        "good.png: Accept · no defect",
    ]
    assert shown.text("#verdict") == "Reject"
    assert shown.problems == []
    hosts = {address.split("/")[2] for address in shown.requests if address.startswith("http")}
    assert hosts == {shown.url.removeprefix("http://").rstrip("/")}


def test_dropped_and_pasted_pictures_are_taken(shown: Shown):
    content = base64.b64encode(bytes(picture("a.png")["buffer"])).decode()  # type: ignore[arg-type]
    shown.hand_over("drop", [{"name": "dropped.png", "bytes": content}])
    shown.wait_done(1)
    shown.hand_over("paste", [{"name": "pasted.png", "bytes": content}])
    shown.wait_done(2)
    assert [row.split(":")[0] for row in shown.rows()] == ["dropped.png", "pasted.png"]


def test_the_overlay_tints_each_class_at_its_own_pixels(shown: Shown):
    shown.add(picture("a.png"))
    shown.wait_done(1)
    shown.page.keyboard.press("b")  # boxes off
    assert shown.pixel(2, 3) == close_to((241, 87, 0))  # 0.45 · red + 0.55 · crack
    assert shown.pixel(4, 4) == close_to((241, 87, 0))
    assert shown.pixel(12, 8) == close_to((47, 214, 128))  # 0.45 · green + 0.55 · blowhole
    for x, y in ((1, 3), (5, 4), (2, 2), (2, 5), (13, 8), (12, 9)):
        assert shown.pixel(x, y) == BLACK, (x, y)


def test_the_opacity_reaches_from_the_picture_to_the_plain_colour(shown: Shown):
    shown.add(picture("a.png"))
    shown.wait_done(1)
    shown.page.keyboard.press("b")
    shown.page.fill("#opacity", "0")
    assert (shown.text("#opacity-value"), shown.pixel(3, 3)) == ("0 %", RED)
    shown.page.fill("#opacity", "100")
    assert (shown.pixel(3, 3), shown.pixel(10, 7)) == (CRACK, BLOWHOLE)
    shown.page.click("#show-mask")
    assert shown.pixel(3, 3) == RED
    assert shown.page.get_attribute("#show-mask", "aria-pressed") == "false"


def test_a_box_is_drawn_around_its_defect_and_can_be_hidden(shown: Shown):
    shown.add(picture("a.png"))
    shown.wait_done(1)
    edge = 0.5 + 1 / shown.scale()  # half a line outside of the box's right edge x2 = 5
    assert shown.pixel(5 - 1 + edge, 4) == close_to(CRACK)
    shown.page.click("#show-boxes")
    assert shown.pixel(5 - 1 + edge, 4) == BLACK


def test_magnified_pixels_stay_crisp(shown: Shown):
    shown.add(picture("a.png"))
    shown.wait_done(1)
    for key in "bm":
        shown.page.keyboard.press(key)
    assert shown.scale() > 20
    assert [shown.pixel(x, 3) for x in (1.45, 1.55)] == [BLACK, RED]  # either side of x = 2


def test_the_table_tells_each_defect_and_choosing_one_zooms_to_it(shown: Shown):
    shown.add(picture("a.png"))
    shown.wait_done(1)
    cells = shown.page.locator("#facts tbody tr").all_inner_texts()
    assert [cell.split() for cell in cells] == [
        ["1", "crack", "1.00", "6", "px", "3.1", "%", "1.5", "2,", "3", "5,", "5"],
        ["2", "blowhole", "1.00", "12", "px", "6.3", "%", "3", "9,", "6", "13,", "9"],
    ]
    first = shown.page.locator("#facts tbody tr").first
    shown.page.get_by_role("button", name="Class").click()
    assert shown.page.locator("th[aria-sort=ascending]").inner_text() == "Class"
    assert first.inner_text().split()[1] == "blowhole"
    shown.page.get_by_role("button", name="Class").click()
    assert first.inner_text().split()[1] == "crack"
    shown.page.get_by_role("button", name="mm²").click()  # the largest first
    assert shown.page.locator("th[aria-sort]").all_inner_texts() == ["mm²"]
    assert first.inner_text().split()[1] == "blowhole"


def test_a_chosen_defect_is_marked_and_chosen_again_it_is_not(
    browser: Browser, service: LiveService
):
    drawing = mask("#" * 8 + "." * 192 + "\n" + "\n".join(["." * 200] * 199))
    with showing(browser, service.url) as shown:
        shown.add(encoded("large.png", np.stack([drawing * np.uint8(255)] + [drawing * 0] * 2, 2)))
        shown.wait_done(1)
        fitted = shown.scale()
        shown.page.locator("#facts tbody tr").first.click()
        assert shown.scale() > 2 * fitted
        expect(shown.page.locator("#facts .mark")).to_have_attribute("aria-pressed", "true")
        shown.page.locator("#facts .mark").click()
        expect(shown.page.locator("#facts .mark")).to_have_attribute("aria-pressed", "false")
        shown.page.keyboard.press("0")
        assert shown.scale() == fitted


def test_wheel_keys_and_double_click_zoom_and_a_drag_moves(shown: Shown):
    shown.add(picture("a.png"))
    shown.wait_done(1)
    canvas, fitted = shown.page.locator("#canvas"), shown.scale()
    told = shown.text("#zoom-value")
    canvas.hover()
    shown.page.mouse.wheel(0, -400)
    expect(shown.page.locator("#zoom-value")).not_to_have_text(told)
    magnified = shown.scale()
    assert magnified > 1.2 * fitted
    before = canvas.get_attribute("data-left")
    shown.page.mouse.down()
    shown.page.mouse.move(500, 400, steps=3)
    shown.page.mouse.up()
    assert (shown.scale(), canvas.get_attribute("data-left") != before) == (magnified, True)
    shown.page.click("#zoom-actual")
    assert (shown.scale(), shown.text("#zoom-value")) == (1, "100 %")
    shown.page.click("#zoom-in")
    assert shown.scale() == pytest.approx(1.4)
    shown.page.click("#zoom-fit")
    assert shown.scale() == fitted
    canvas.dblclick()
    assert shown.scale() > fitted


@pytest.mark.parametrize("name", ["turned.jpg", "turned.png", "turned.webp"])
def test_the_overlay_fits_a_picture_that_its_exif_turns(shown: Shown, name: str):
    upright = np.kron(paint(DRAWING), np.ones((8, 8, 1), np.uint8))  # blocks, as JPEG likes them
    exif = Image.Exif()
    exif[0x0112] = 6  # a viewer turns it a quarter clockwise
    options = {"quality": 95} | ({"lossless": True} if name.endswith("webp") else {})
    options |= {"subsampling": 0} if name.endswith("jpg") else {}
    stored = np.ascontiguousarray(np.rot90(upright))
    shown.add(encoded(name, stored, exif=exif, **(options if "png" not in name else {})))
    shown.wait_done(1)
    assert "128 × 96 px" in shown.text("#facts")
    assert "16, 24\n40, 40" in shown.text("#facts")  # the crack's box, 8 times as large
    for key in "bm":
        shown.page.keyboard.press(key)
    note = shown.page.locator("#note")
    if note.is_hidden():
        assert shown.pixel(28, 32) == close_to(RED, 30)
        assert shown.pixel(28, 60) == close_to(BLACK, 30)
    else:  # this browser does not turn such a file: it must say so, and not show it askew
        assert name != "turned.jpg"
        assert shown.pixel(28, 60) == (138, 141, 145)
    shown.page.keyboard.press("m")
    assert shown.pixel(28, 32) != shown.pixel(28, 60)


def test_a_tiff_has_its_mask_on_grey_and_the_page_says_so(shown: Shown):
    shown.add(picture("a.tif"))
    shown.wait_done(1)
    expect(shown.page.locator("#note")).to_contain_text("Browsers cannot show this kind")
    shown.page.keyboard.press("b")
    shown.page.fill("#opacity", "100")
    assert (shown.pixel(3, 3), shown.pixel(0, 0)) == (CRACK, (138, 141, 145))


def test_the_heat_is_asked_for_when_it_is_first_looked_at(shown: Shown):
    shown.add(picture("a.png"))
    shown.wait_done(1)
    assert not any("heat=true" in address for address in shown.requests)
    for key in "bm":
        shown.page.keyboard.press(key)
    with shown.page.expect_response(lambda reply: "heat=true" in reply.url):
        shown.page.click("#show-heat")
    shown.page.fill("#opacity", "100")
    expect(shown.page.locator("#show-heat")).to_have_attribute("aria-pressed", "true")
    assert shown.pixel(10, 7) == close_to(RED)  # sure: the heat's own red hides the green
    assert shown.pixel(0, 11) == BLACK
    for _ in range(2):
        shown.page.click("#show-heat")
    assert sum("heat=true" in address for address in shown.requests) == 1


def test_the_facts_name_the_model_the_request_and_every_stage(shown: Shown, service: LiveService):
    shown.add(picture("a.png"))
    shown.wait_done(1)
    facts = shown.text("#facts")
    model = service.client.get(f"{service.url}/v1/model").json()
    assert f"unet 0.1.0 · {model['sha256'][:8]}" in facts
    assert "from 0.80 on a picture is rejected" in facts
    for stage in ("read", "decode", "queue", "infer", "encode", "network"):
        assert f"{stage} " in shown.text("#times")
    [request_id] = [event["request_id"] for event in service.log() if "a.png" in str(event)][-1:]
    assert request_id in facts
    shown.page.click("#model summary")
    for word in ("crack", "blowhole", "0.60", "0.80", "drawn", model["sha256"], "16 million"):
        assert word in shown.text("#model-card")


def test_what_is_saved_can_be_read(shown: Shown, tmp_path: Path):
    shown.add(picture("folder name.v2.png"), {"name": "z.png", "mimeType": "", "buffer": b""})
    shown.wait_done(2)

    def save(button: str) -> Path:
        with shown.page.expect_download(timeout=PATIENCE_MS) as started:
            shown.page.get_by_role("button", name=button, exact=True).click()
        path = tmp_path / started.value.suggested_filename
        started.value.save_as(path)
        return path

    one = save("JSON")
    assert one.name == "folder name.v2.json"
    result = json.loads(one.read_text())
    assert [defect["box"] for defect in result["defects"]] == [[2, 3, 5, 5], [9, 6, 13, 9]]

    everything = json.loads(save("Save all results as JSON").read_text())["results"]
    assert everything[0]["result"] == result
    assert everything[1]["image_id"] == "z.png"
    assert everything[1]["error"]["code"] == "EMPTY_FILE"

    with Image.open(save("Mask PNG")) as saved:
        assert saved.mode == "P"
        assert (np.asarray(saved) == mask(DRAWING)).all()
        assert saved.getpalette()[3:9] == [*CRACK, *BLOWHOLE]  # type: ignore[index]

    shown.page.keyboard.press("b")
    with Image.open(save("Overlay PNG")) as saved:
        assert saved.size == (16, 12)
        assert saved.convert("RGB").getpixel((3, 3)) == close_to((241, 87, 0))
        assert saved.convert("RGB").getpixel((0, 0)) == BLACK
