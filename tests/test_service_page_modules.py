"""The page's modules in a real browser: run lengths, PNG, codes, waits; and the page /docs."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

import defectseg.service.codes
from browser import Shown, chromium, showing
from defectseg.data.labels.run_lengths import encode_rle
from defectseg.overlay import COLOURS
from defectseg.service.codes import CODES
from live_service import LiveService, serving

PAGE = Path(defectseg.service.codes.__file__).parent / "page"
LINES = 300  # of one file
PIXELS = """return given.map(([height, width, counts]) => {
  const pixels = new Uint8Array(width * height);
  const runs = m.decodeRuns({ size: [height, width], counts });
  m.paintRuns(pixels, { left: 0, top: 0, width }, runs, height, 1);
  return [pixels.join(""), m.boundRuns(runs, height)];
});"""
REFUSED = """try { m.decodeRuns(given); } catch (error) { return error.name; }"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def shown(browser: Browser, service: LiveService) -> Iterator[Shown]:
    with showing(browser, service.url) as opened:
        yield opened


def test_run_lengths_of_pycocotools_come_out_as_the_pixels_they_were_made_of(shown: Shown):
    generator = np.random.default_rng(5)
    drawn = [
        generator.random((int(height), int(width))) < density
        for height, width in generator.integers(1, 30, (20, 2))
        for density in (0, 0.02, 0.5, 0.98, 1)
    ]
    blob = np.zeros((200, 150), bool)
    blob[45:155, 20:100] = True  # counts with many bits and negative differences
    drawn += [blob, ~blob]
    given = [[*region.shape, encode_rle(region)["counts"]] for region in drawn]
    for region, (pixels, box) in zip(drawn, shown.module("rle", PIXELS, given), strict=True):
        assert pixels == "".join(map(str, region.ravel().astype(int)))
        rows, columns = np.nonzero(region)
        assert box["width"] == (np.ptp(columns) + 1 if columns.size else 0)
        assert box["height"] == (np.ptp(rows) + 1 if rows.size else 0)
        assert (box["left"], box["top"]) == (
            columns.min(initial=400) % 400,
            rows.min(initial=400) % 400,
        )


@pytest.mark.parametrize("counts", ["", "\x20", "o", "PPPPPPPPP0", "05", "O"])
def test_damaged_run_lengths_are_refused(shown: Shown, counts: str):
    given = {"size": [2, 2], "counts": counts}
    assert shown.module("rle", REFUSED, given) == "RangeError"


def test_the_page_knows_every_code_with_its_status_and_whether_to_try_again(shown: Shown):
    told = shown.module("errors", "return m.SERVICE_ERRORS;")
    assert {code: (each["status"], each["retryable"]) for code, each in told.items()} == {
        name: (code.status, code.retryable) for name, code in CODES.items()
    }
    for code, each in told.items():
        assert len(each["title"]) > 5, code
        assert len(each["todo"]) > 20, code
    assert len({each["title"] for each in told.values()}) == len(CODES)
    unknown = shown.module("errors", "return m.advise('constructor').title;")
    assert unknown == "An unknown failure"


def test_the_colours_are_those_of_the_overlays_elsewhere(shown: Shown):
    assert shown.module("colours", "return m.COLOURS;") == COLOURS.tolist()


def test_waits_double_with_some_chance_and_keep_to_retry_after(shown: Shown):
    code = "return given.map((values) => m.backoff(...values));"
    given = [[1, 0, 0], [3, 0, 0], [3, 0, 1], [99, 0, 0], [1, 7, 0], [1, 7, 1]]
    assert shown.module("queue", code, given) == [500, 2000, 3000, 15000, 7000, 10500]


def test_a_score_never_looks_like_none_or_certain_unless_it_is(shown: Shown):
    given = [0.5, 0.9312, 0.9978, 0.99996, 0.0004, 0, 1]
    said = ["0.50", "0.93", "0.998", "1.00", "0.0004", "0.00", "1.00"]
    assert shown.module("text", "return given.map(m.score);", given) == said


def test_a_reply_that_is_none_of_ours_is_told_as_such(shown: Shown):
    code = """try { return m.readReply(given[0], given[1], () => "3"); }
      catch ({ code, retryAfterS, requestId }) { return [code, retryAfterS, requestId]; }"""
    envelope = '{"error": {"code": "QUEUE_FULL", "message": "m", "request_id": "r"}}'
    assert shown.module("api", code, [200, '{"a": 1}']) == {"a": 1}
    assert shown.module("api", code, [503, envelope]) == ["QUEUE_FULL", 3, "r"]
    assert shown.module("api", code, [502, "<html>proxy"]) == ["BAD_REPLY", 0, ""]
    assert shown.module("api", code, [200, "<html>login"]) == ["BAD_REPLY", 0, ""]


def test_a_mask_becomes_a_png_of_the_same_indexes(shown: Shown):
    values = np.arange(35, dtype=np.uint8).reshape(5, 7) % 3
    code = """const palette = [[0, 0, 0], [1, 2, 3], [4, 5, 6]];
      const blob = await m.encodePng(Uint8Array.from(given), 7, 5, palette);
      return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));"""
    content = base64.b64decode(shown.module("png", code, values.ravel().tolist()))
    with Image.open(io.BytesIO(content)) as image:
        assert (np.asarray(image) == values).all()
        assert image.getpalette()[:9] == [0, 0, 0, 1, 2, 3, 4, 5, 6]  # type: ignore[index]


def test_every_file_is_short_and_says_first_what_it_is_for():
    for path in [*PAGE.glob("*.js"), *PAGE.glob("*.css")]:
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) <= LINES, path.name
        assert lines[0].startswith(("// ", "/* ")), path.name
        assert lines[0].rstrip(" */").endswith("."), path.name


def test_no_file_names_another_host():
    for path in PAGE.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, path.name
        assert "innerHTML" not in text, path.name


def test_the_docs_tell_every_address_field_and_code(browser: Browser, service: LiveService):
    contract = service.client.get(f"{service.url}/openapi.json").json()
    with showing(browser, f"{service.url}/docs") as shown:
        expect(shown.page.locator("#failures")).to_be_visible()
        text = shown.text("#main")
        for path in contract["paths"]:
            assert path in text
        for schema in contract["components"]["schemas"].values():
            for name in schema.get("properties", {}):
                assert name in text
        for code in CODES:
            assert code in text
        assert f"curl -X POST -F image=@tile.jpg {service.url}/v1/analyze" in text
        assert f"-F images=@tile1.jpg -F images=@tile2.jpg {service.url}/v1/analyze/batch" in text
        shown.page.get_by_role("link", name="GET /v1/model").click()
        expect(shown.page.locator("#get--v1-model h2")).to_be_in_viewport()
        shown.page.set_viewport_size({"width": 360, "height": 740})
        assert shown.page.evaluate("() => document.documentElement.scrollWidth") == 360
        assert shown.problems == []
        assert all(address.startswith(service.url) for address in shown.requests)
