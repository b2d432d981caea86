"""A real headless browser and the page of a running service in it."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

ADVICE = "no Chromium found: install Debian's package `chromium`, the tests of the page need it"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
PATIENCE_MS = 30_000
DROP = """async ([files, kind]) => {
  const transfer = new DataTransfer();
  for (const { name, bytes } of files) {
    const content = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([content], name));
  }
  const told = { bubbles: true, cancelable: true };
  const event = kind === "drop"
    ? new DragEvent("drop", { ...told, dataTransfer: transfer })
    : new ClipboardEvent("paste", { ...told, clipboardData: transfer });
  document.body.dispatchEvent(event);
}"""
REST_MS = 60
PIXEL = """async ([x, y]) => {
  for (let k = 0; k < 2; k++) await new Promise(requestAnimationFrame);
  const canvas = document.getElementById("canvas");
  const { scale, left, top } = canvas.dataset;
  const place = [Number(left) + (x + 0.5) * scale, Number(top) + (y + 0.5) * scale];
  const { data } = canvas.getContext("2d").getImageData(...place.map(Math.floor), 1, 1);
  return [...data].slice(0, 3);
}"""


@dataclass
class Shown:
    """The page as a person sees it."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)  # every address that it asked
    problems: list[str] = field(default_factory=list)  # errors of the console and of scripts

    def add(self, *files: Path | dict[str, Any]) -> None:
        """Choose files by the button."""
        self.page.set_input_files("#choose-files", list(files))  # type: ignore[arg-type]

    def hand_over(self, kind: str, files: Sequence[dict[str, str]]) -> None:
        """Drop or paste files: their names and bytes in base64."""
        self.page.evaluate(DROP, [list(files), kind])

    def wait_done(self, count: int, of: int | None = None) -> None:
        """Until so many are settled."""
        text = f"{count} of {of or count} done"
        expect(self.page.locator("#overall-text")).to_contain_text(text, timeout=PATIENCE_MS)

    def rows(self) -> list[str]:
        """What the visible rows say, from above."""
        places = self.page.locator(".row").evaluate_all(
            "rows => rows.map(row => [Number(row.ariaPosInSet), "
            "row.querySelector('.row-name').textContent + ': ' + "
            "row.querySelector('.row-text').textContent])"
        )
        return [text for _, text in sorted(places)]

    def row(self, name: str) -> Locator:
        """The row of a picture."""
        return self.page.locator(".row", has=self.page.get_by_text(name, exact=True))

    def pixel(self, x: float, y: float) -> tuple[int, int, int]:
        """The colour on the screen in the middle of a pixel of the picture."""
        before = None
        while (found := self.page.evaluate(PIXEL, [x, y])) != before:
            before = found  # the page may still be finding its place: wait until it rests
            self.page.wait_for_timeout(REST_MS)
        red, green, blue = found
        return red, green, blue

    def scale(self) -> float:
        """Pixels of the canvas of one pixel of the picture, in the next frame."""
        self.page.evaluate("() => new Promise(requestAnimationFrame)")
        return float(self.page.locator("#canvas").get_attribute("data-scale") or 0)

    def text(self, selector: str) -> str:
        """What a person reads there."""
        return self.page.locator(selector).inner_text()

    def module(self, name: str, code: str, given: Any = None) -> Any:
        """Run code with a module of the page as `m` and what is given as `given`."""
        script = f"async (given) => {{ const m = await import('/page/{name}.js'); {code} }}"
        return self.page.evaluate(script, given)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise FileNotFoundError(ADVICE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def showing(
    browser: Browser, url: str, *, width: int = 1200, height: int = 800, **context: Any
) -> Iterator[Shown]:
    """Open an address of the service in a browser without a past."""
    opened = browser.new_context(viewport={"width": width, "height": height}, **context)
    page = opened.new_page()
    shown = Shown(page, url)
    page.on("request", lambda request: shown.requests.append(request.url))
    page.on("console", lambda told: told.type == "error" and shown.problems.append(told.text))
    page.on("pageerror", lambda error: shown.problems.append(str(error)))
    page.goto(url)
    yield shown
    opened.close()
