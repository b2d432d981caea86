"""The page for every person and screen: by keys alone, 360 px wide, dark, light, read aloud."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, expect

from browser import Shown, chromium, showing
from live_service import LiveService, serving

WIDTHS = (360, 768, 1200, 3840)
TEXT_CONTRAST = """() => {
  const parse = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    const most = text.startsWith("color(srgb") ? 255 : 1;
    return [...numbers.slice(0, 3).map((v) => v * most), numbers[3] ?? 1];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    const [front, back] = [parse(getComputedStyle(element).color), ground(element)];
    const [a, b] = [light(front.slice(0, 3)), light(back.slice(0, 3))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([ratio, walker.currentNode.textContent.trim()]);
  }
  return found;
}"""
TARGETS = """() => [...document.querySelectorAll(
  "button, a, summary, input:not([type=file]), .row")]
  .filter((element) => element.checkVisibility() && !element.matches(".skip"))
  .map((element) => [element.id || element.textContent.trim(), element.getBoundingClientRect()])
  .map(([name, box]) => [name, box.width, box.height])"""
NAMELESS = """() => [...document.querySelectorAll(
  "button, a, input:not([aria-hidden]), [role=listbox], canvas")]
  .filter((element) => element.checkVisibility())
  .filter((element) => !(element.getAttribute("aria-label") || element.textContent.trim()
    || element.labels?.length || element.title))
  .map((element) => element.outerHTML)"""
FOCUS = "() => document.activeElement.id || document.activeElement.textContent.trim()"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def picture(name: str) -> dict[str, object]:
    """120 × 90 px with a crack of 30 × 10 and a blowhole of 10 × 10."""
    image, content = Image.new("RGB", (120, 90)), io.BytesIO()
    ImageDraw.Draw(image).rectangle((20, 30, 49, 39), (255, 0, 0))
    ImageDraw.Draw(image).rectangle((80, 60, 89, 69), (0, 255, 0))
    image.save(content, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": content.getvalue()}


def fill(shown: Shown) -> None:
    """Three results and a failure, the first one shown."""
    shown.add(*map(picture, ("a.png", "b.png", "c.png")), {**picture("d.png"), "buffer": b""})
    shown.wait_done(4)
    expect(shown.page.locator("#verdict")).to_be_visible()


def tab_to(shown: Shown, name: str, key: str = "Tab") -> None:
    """Press Tab until the focus is there."""
    for _ in range(40):
        shown.page.keyboard.press(key)
        if shown.page.evaluate(FOCUS) == name:
            return
    raise AssertionError(f"Tab never came to {name}")


def test_everything_can_be_done_by_keys_alone(browser: Browser, service: LiveService):
    with showing(browser, service.url) as shown:
        keys = shown.page.keyboard
        with shown.page.expect_file_chooser() as chooser:
            tab_to(shown, "choose-first")
            keys.press("Enter")
        chooser.value.set_files([picture(f"{name}.png") for name in "abc"])  # type: ignore[list-item]
        shown.wait_done(3)
        expect(shown.page.locator("#list")).to_be_focused()
        keys.press("ArrowDown")
        expect(shown.page.locator("#facts .title")).to_have_text("b.png")
        assert shown.page.get_attribute("#list", "aria-activedescendant") == "row-2"
        keys.press("End")
        expect(shown.page.locator("#facts .title")).to_have_text("c.png")
        keys.press("Enter")
        assert shown.page.evaluate(FOCUS) == "canvas"
        fitted = shown.scale()
        for key in ("+", "+"):
            keys.press(key)
        assert shown.scale() == pytest.approx(1.96 * fitted)
        left = shown.page.get_attribute("#canvas", "data-left")
        keys.press("ArrowRight")
        assert shown.scale() == pytest.approx(1.96 * fitted)
        assert shown.page.get_attribute("#canvas", "data-left") != left
        keys.press("0")
        assert shown.scale() == fitted
        tab_to(shown, "1")  # the first defect of the table
        keys.press("ArrowDown")
        keys.press("Space")
        expect(shown.page.locator("tr.is-marked .mark")).to_have_text("2")
        keys.press("k")
        expect(shown.page.locator("#facts .title")).to_have_text("b.png")


def test_the_help_tells_the_keys_and_can_switch_them_off(browser: Browser, service: LiveService):
    with showing(browser, service.url) as shown:
        fill(shown)
        shown.page.keyboard.press("?")
        expect(shown.page.locator("#help")).to_be_visible()
        assert "Next, previous defect" in shown.text("#keys")
        shown.page.keyboard.press("m")  # the dialog is open: nothing behind it may move
        shown.page.uncheck("#keys-on")
        shown.page.keyboard.press("Escape")
        expect(shown.page.locator("#help")).to_be_hidden()
        shown.page.keyboard.press("m")
        assert shown.page.get_attribute("#show-mask", "aria-pressed") == "true"


def test_a_screen_reader_hears_names_and_results(browser: Browser, service: LiveService):
    with showing(browser, service.url) as shown:
        fill(shown)
        live = shown.page.locator("#live")
        expect(live).to_have_text("4 more pictures done: 3 reject, 1 failed")
        assert shown.page.evaluate(NAMELESS) == []
        name = shown.page.get_attribute("#canvas", "aria-label")
        assert name == "a.png: Reject · 2 defects · 1.00"
        assert shown.page.get_attribute("#row-1", "aria-setsize") == "4"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_needs_sideways_scrolling(browser: Browser, service: LiveService, width: int):
    with showing(browser, service.url, width=width, height=740) as shown:
        measure = "() => document.documentElement.scrollWidth"
        assert shown.page.evaluate(measure) == width
        fill(shown)
        assert shown.page.evaluate(measure) == width
        box = shown.page.locator("#canvas").bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 200


def test_a_finger_meets_everything_that_can_be_pressed(browser: Browser, service: LiveService):
    with showing(browser, service.url, width=360, height=740, has_touch=True) as shown:
        fill(shown)
        small = [
            told
            for told in shown.page.evaluate(TARGETS)
            if told[2] < 40 or (told[1] < 40 and told[0] != "keys-on")
        ]
        assert small == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(browser: Browser, service: LiveService, scheme: str):
    with showing(browser, service.url, color_scheme=scheme) as shown:
        fill(shown)
        shown.page.click("#model summary")
        told = shown.page.evaluate(TEXT_CONTRAST)
        shown.row("d.png").click()
        expect(shown.page.locator("#failure")).to_be_visible()
        shown.page.click("#help-open")
        told += shown.page.evaluate(TEXT_CONTRAST)
        assert len(told) > 100
        assert [each for each in told if each[0] < 4.5] == []


def test_the_colours_follow_the_system_until_a_person_chooses(
    browser: Browser, service: LiveService
):
    ground = "() => getComputedStyle(document.body).backgroundColor"
    with showing(browser, service.url, color_scheme="dark") as shown:
        dark = shown.page.evaluate(ground)
        shown.page.emulate_media(color_scheme="light")
        light = shown.page.evaluate(ground)
        assert (dark, light) == ("rgb(18, 20, 25)", "rgb(243, 244, 247)")
        shown.page.click("#theme")
        shown.page.click("#theme")
        assert (shown.text("#theme-word"), shown.page.evaluate(ground)) == ("Dark", dark)
        shown.page.reload()
        assert (shown.text("#theme-word"), shown.page.evaluate(ground)) == ("Dark", dark)


def test_nothing_moves_where_a_person_wants_no_motion(browser: Browser, service: LiveService):
    turning = """() => {
      const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      icon.setAttribute("class", "icon icon-working");
      document.body.append(icon);
      return getComputedStyle(icon).animationName;
    }"""
    with showing(browser, service.url) as shown:
        assert shown.page.evaluate(turning) == "turn"
        shown.page.emulate_media(reduced_motion="reduce")
        assert shown.page.evaluate(turning) == "none"
