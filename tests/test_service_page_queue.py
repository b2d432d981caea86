"""The page's queue in a real browser: failures, waiting, trying again, cancelling, many files."""

import base64
import io
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from browser import PATIENCE_MS, Shown, chromium, showing
from drawn_model import write_painted
from live_service import LiveService, serving

SIDE = 12  # px of a picture
HALF_A_REQUEST = (
    b"POST /v1/analyze HTTP/1.1\r\nHost: line\r\nContent-Length: 1000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    settings = {"max_body_mib": 0.05, "max_megapixels": 0.01}  # 51 KiB, 100 × 100 px
    with serving(tmp_path_factory.mktemp("service"), slots=1, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def shown(browser: Browser, service: LiveService) -> Iterator[Shown]:
    with showing(browser, service.url) as opened:
        expect(opened.page.locator("#state")).to_have_text("Ready")
        yield opened


def file(name: str, content: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": "image/png", "buffer": content}


def png(width: int = SIDE, height: int = SIDE, blue: int = 0) -> bytes:
    """A picture without a defect; a blue of 255 makes the model give no number."""
    content = io.BytesIO()
    Image.new("RGB", (width, height), (0, 0, blue)).save(content, "PNG")
    return content.getvalue()


def test_each_failure_is_told_with_what_to_do_and_the_code(shown: Shown, service: LiveService):
    shown.add(
        file("empty.png", b""),
        file("text.png", b"no picture"),
        file("cut.png", png()[:-30]),
        file("large.png", png(101, 100)),
        file("small.png", png(4, 4)),
        file("blue.png", png(blue=255)),
        file("good.png", png()),
    )
    shown.wait_done(7)
    assert shown.rows() == [
        "blue.png: No verdict: the model gave no number",
        "cut.png: The picture is damaged",
        "empty.png: The file is empty",
        "good.png: Accept · no defect",
        "large.png: The picture has too many pixels",
        "small.png: The picture is too small, too long or too narrow",
        "text.png: This is no picture that can be read",
    ]
    shown.row("empty.png").click()
    expect(shown.page.locator("#facts .title")).to_have_text("empty.png")
    failure = shown.text("#failure")
    for word in ("The file is empty", "Take or copy the picture again", "EMPTY_FILE", "0 bytes"):
        assert word in failure
    [event] = [each for each in service.log() if each.get("image_id") == "empty.png"][-1:]
    assert event["request_id"] in failure
    shown.page.click('[data-filter="failed"]')
    expect(shown.page.locator(".row")).to_have_count(6)
    assert [told for told in shown.problems if "Failed to load resource" not in told] == []


def test_a_file_that_is_too_large_is_not_even_sent(shown: Shown):
    shown.add(file("huge.png", png() + bytes(60_000)))
    shown.wait_done(1)
    assert shown.rows() == ["huge.png: The file is too large"]
    assert "PAYLOAD_TOO_LARGE" in shown.text("#failure")
    assert "59 KiB" in shown.text("#failure")
    assert not any("/v1/analyze" in address for address in shown.requests)


def test_while_the_service_is_full_the_page_waits_and_goes_on_by_itself(
    shown: Shown, service: LiveService
):
    with socket.create_connection((service.host, service.port)) as other:
        other.sendall(HALF_A_REQUEST)
        service.wait_for(lambda: service.metric("defectseg_in_flight") >= 1)
        shown.add(file("a.png", png()), file("b.png", png()))
        expect(shown.page.locator("#banner")).to_contain_text("The service is busy")
        expect(shown.row("a.png")).to_contain_text("Again soon: the service is busy")
        assert "0 of 2 done" in shown.text("#overall-text")
    shown.wait_done(2)
    assert shown.rows() == ["a.png: Accept · no defect", "b.png: Accept · no defect"]
    expect(shown.page.locator("#banner")).to_be_hidden()


def test_waiting_pictures_can_be_cancelled_and_sent_after_all(shown: Shown, service: LiveService):
    with socket.create_connection((service.host, service.port)) as other:
        other.sendall(HALF_A_REQUEST)
        service.wait_for(lambda: service.metric("defectseg_in_flight") >= 1)
        shown.add(*(file(f"{k}.png", png()) for k in range(5)))
        expect(shown.page.locator("#banner")).to_contain_text("The service is busy")
        shown.page.click("#cancel-all")
        shown.wait_done(5)
        assert {row.partition(": ")[2] for row in shown.rows()} == {"Cancelled"}
    service.wait_for(lambda: service.metric("defectseg_in_flight") == 0)
    shown.page.get_by_role("button", name="Retry", exact=True).click()  # the one shown
    expect(shown.row("0.png")).to_contain_text("Accept")
    assert [row.partition(": ")[2] for row in shown.rows()[1:]] == ["Cancelled"] * 4
    shown.page.click("#retry-all")
    for k in range(5):
        expect(shown.row(f"{k}.png")).to_contain_text("Accept", timeout=PATIENCE_MS)


def test_names_with_markup_or_marks_that_turn_text_stay_harmless(shown: Shown):
    name = '<img src=x onerror="document.title=1">.png'
    shown.add(file(name, png()), file("gnp\u202egnp.exe", png()))
    shown.wait_done(2)
    assert shown.rows() == [f"{name}: Accept · no defect", "gnp\ufffdgnp.exe: Accept · no defect"]
    assert shown.text("#facts .title") == name
    assert shown.page.locator("main img").count() == 0
    assert shown.page.title() == "defectseg"


def test_of_a_folder_only_the_pictures_are_taken_and_told_with_their_path(
    shown: Shown, tmp_path: Path
):
    write_painted(tmp_path / "line/b/10.png", "........\n" * 8)
    write_painted(tmp_path / "line/b/9.png", "........\n" * 8)
    (tmp_path / "line/notes.txt").write_text("no picture")
    shown.page.set_input_files("#choose-folder", tmp_path / "line")
    shown.wait_done(2)
    assert shown.rows() == [
        "line/b/9.png: Accept · no defect",
        "line/b/10.png: Accept · no defect",
    ]
    assert "1 file left out" in shown.text("#notice")


def test_removing_all_leads_back_to_the_start_and_keeps_no_picture(shown: Shown):
    shown.add(file("a.png", png()), file("b.png", png()))
    shown.wait_done(2)
    shown.page.keyboard.press("Delete")
    expect(shown.page.locator(".row")).to_have_count(1)
    assert shown.text("#facts .title") == "b.png"
    shown.page.click("#clear")
    expect(shown.page.locator("#start")).to_be_visible()
    expect(shown.page.locator("#choose-first")).to_be_focused()
    expect(shown.page.locator("#facts")).to_be_empty()


@pytest.mark.slow
def test_two_hundred_pictures_leave_the_page_small_and_quick(shown: Shown):
    watch = """() => {
      window.slowest = 0;
      let last = performance.now();
      const tick = (now) => {
        window.slowest = Math.max(window.slowest, now - last);
        last = now;
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }"""
    shown.page.evaluate(watch)
    shown.add(*(file(f"{k:03}.png", png(SIDE + k % 7)) for k in range(200)))
    expect(shown.page.locator("#overall-text")).to_contain_text("of 200 done")
    shown.page.focus("#list")
    start = time.monotonic()
    shown.page.keyboard.press("End")  # in the middle of the work
    expect(shown.row("199.png")).to_have_attribute("aria-selected", "true")
    assert time.monotonic() - start < 3
    shown.wait_done(200)
    assert shown.page.locator(".row").count() < 40
    assert shown.page.locator("*").count() < 700
    assert shown.page.evaluate("() => window.slowest") < 1000
    assert shown.text('[data-filter="accept"]').split() == ["Accept", "200"]


@pytest.mark.slow
def test_the_page_says_that_the_service_is_gone_and_goes_on_when_it_is_back(
    browser: Browser, tmp_path: Path
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(tmp_path, port=port) as first, showing(browser, first.url) as shown:
        expect(shown.page.locator("#state")).to_have_text("Ready")
        first.stop()
        shown.add(file("a.png", png()))
        expect(shown.page.locator("#banner")).to_contain_text("The service cannot be reached")
        expect(shown.page.locator("#state")).to_have_text("Unreachable")
        with serving(tmp_path, port=port):
            shown.wait_done(1)
            assert shown.rows() == ["a.png: Accept · no defect"]
            expect(shown.page.locator("#state")).to_have_text("Ready", timeout=PATIENCE_MS)


def test_nothing_is_left_of_a_pasted_picture_without_a_name(shown: Shown):
    content = base64.b64encode(png()).decode()
    shown.hand_over("paste", [{"name": "", "bytes": content}])
    shown.wait_done(1)
    assert shown.rows() == ["pasted picture: Accept · no defect"]


def test_pixels_of_a_bitmap_without_a_defect_are_those_of_the_file(shown: Shown):
    content = io.BytesIO()
    colours = np.array([[[10, 20, 30]] * SIDE] * SIDE, np.uint8)
    Image.fromarray(colours).save(content, "BMP")
    shown.add({"name": "a.bmp", "mimeType": "image/bmp", "buffer": content.getvalue()})
    shown.wait_done(1)
    assert shown.pixel(5, 5) == (10, 20, 30)
