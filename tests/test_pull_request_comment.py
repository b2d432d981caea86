"""ci/comment.py against a real server with the few addresses of GitHub and GitLab that it needs."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ran_project import ROOT

MARKER = "<!-- defectseg compare -->"
BOT = "github-actions[bot]"
TOKEN = "a-token-of-a-test"
GITHUB = "/repos/owner/repository/issues"
GITLAB = "/projects/5/merge_requests/7/notes"


@dataclass
class Forge:
    """The comments of pull request 7, as GitHub and GitLab keep them."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # method and path of each request
    refusal: int = 0  # status of every answer; 0 = none is refused

    def add(self, body: str, login: str = BOT) -> dict[str, Any]:
        by = {"login": login, "username": login}
        comment = {"id": 100 + len(self.comments), "body": body, "user": by, "author": by}
        self.comments.append(comment)
        return comment

    def bodies(self) -> list[str]:
        return [comment["body"] for comment in self.comments]

    def answer(self, method: str, target: str, headers: Any, body: Any) -> tuple[int, Any]:
        """Status and content of one answer."""
        address = urlsplit(target)
        self.asked.append(f"{method} {address.path}")
        told = headers["Authorization"] == f"Bearer {TOKEN}" or headers["PRIVATE-TOKEN"] == TOKEN
        if self.refusal or not told:
            return self.refusal or 401, {"message": "No rights"}
        if (method, address.path) == ("GET", "/user"):
            return 200, {"username": BOT}
        if address.path in (f"{GITHUB}/7/comments", GITLAB):
            if method == "POST":
                return 201, self.add(body["body"])
            query = parse_qs(address.query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            return 200, self.comments[size * (page - 1) : size * page]
        one = re.fullmatch(rf"(?:{GITHUB}/comments|{GITLAB})/(\d+)", address.path)
        if one and method == ("PATCH" if address.path.startswith("/repos") else "PUT"):
            (comment,) = [each for each in self.comments if each["id"] == int(one[1])]
            comment["body"] = body["body"]
            return 200, comment
        return 404, {"message": "Not Found"}


@pytest.fixture
def forge() -> Iterator[Forge]:
    state = Forge()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers["Content-Length"] or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, content = state.answer(self.command, self.path, self.headers, body)
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.handle_any()

        def do_POST(self) -> None:
            self.handle_any()

        def do_PATCH(self) -> None:
            self.handle_any()

        def do_PUT(self) -> None:
            self.handle_any()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def on_github(forge: Forge, **changes: str) -> dict[str, str]:
    return {
        "GITHUB_API_URL": forge.url,
        "GITHUB_REPOSITORY": "owner/repository",
        "GITHUB_TOKEN": TOKEN,
        "PULL_REQUEST": "7",
    } | changes


def on_gitlab(forge: Forge) -> dict[str, str]:
    return {
        "CI_API_V4_URL": forge.url,
        "CI_PROJECT_ID": "5",
        "CI_MERGE_REQUEST_IID": "7",
        "REPORT_TOKEN": TOKEN,
    }


def post(
    folder: Path, text: str | None, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    report = folder / "comment.md"
    if text is not None:
        report.write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-I", ROOT / "ci/comment.py", report],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def report(words: str) -> str:
    return f"**{words}**\n{MARKER}\n"


@pytest.mark.parametrize("where", [on_github, on_gitlab])
def test_a_second_push_writes_the_same_comment_anew(tmp_path: Path, forge: Forge, where: Any):
    forge.add("Please look at this.", "a-person")
    assert post(tmp_path, report("first"), where(forge)).stdout == "comment 101 added\n"
    forge.add("I did.", "a-person")
    assert post(tmp_path, report("second"), where(forge)).stdout == "comment 101 written anew\n"
    assert forge.bodies() == ["Please look at this.", report("second"), "I did."]


def test_the_comment_is_found_behind_a_hundred_others(tmp_path: Path, forge: Forge):
    for number in range(230):
        forge.add(f"comment {number}", "a-person")
    ours = forge.add(report("old"))
    done = post(tmp_path, report("new"), on_github(forge))
    assert done.stdout == f"comment {ours['id']} written anew\n"
    assert ours["body"] == report("new")
    assert len(forge.comments) == 231


def test_a_comment_of_somebody_else_with_the_marker_is_left_alone(tmp_path: Path, forge: Forge):
    theirs = forge.add(report("look, a marker"), "a-person")
    post(tmp_path, report("ours"), on_github(forge))
    assert theirs["body"] == report("look, a marker")
    assert forge.bodies()[1:] == [report("ours")]


def test_a_comment_of_another_bot_run_without_the_marker_is_left_alone(
    tmp_path: Path, forge: Forge
):
    forge.add("Coverage: 80 %")
    post(tmp_path, report("ours"), on_github(forge))
    assert forge.bodies() == ["Coverage: 80 %", report("ours")]


def test_a_long_report_is_cut_and_says_so(tmp_path: Path, forge: Forge):
    assert post(tmp_path, report("long") + "ä" * 70_000, on_github(forge)).returncode == 0
    (body,) = forge.bodies()
    assert 65_000 < len(body) < 65_536
    assert body.endswith("Cut here: all of it is in this run's artifacts.\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no report to post"),
        ("no marker", "it would not be found again"),
        ("x" * 66_000 + MARKER, "it would not be found again"),
        (MARKER + "x" * 1_000_000, "is no comment: it has over 1000000 bytes"),
    ],
)
def test_what_is_no_report_is_not_posted(
    tmp_path: Path, forge: Forge, text: str | None, message: str
):
    done = post(tmp_path, text, on_github(forge))
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert forge.asked == []


@pytest.mark.parametrize("number", ["", "7/../../x", "-7", "٧", "7 "])
def test_a_number_that_is_none_reaches_no_address(tmp_path: Path, forge: Forge, number: str):
    done = post(tmp_path, report("x"), on_github(forge, PULL_REQUEST=number))
    assert done.returncode == 1
    assert "is no number of a pull request" in done.stderr
    assert forge.asked == []


def test_a_missing_variable_is_named(tmp_path: Path, forge: Forge):
    environment = on_github(forge)
    del environment["GITHUB_TOKEN"]
    done = post(tmp_path, report("x"), environment)
    assert done.returncode == 1
    assert "the environment has no GITHUB_TOKEN" in done.stderr


def test_a_refusal_is_told_without_the_token(tmp_path: Path, forge: Forge):
    forge.refusal = 403
    done = post(tmp_path, report("x"), on_github(forge))
    assert done.returncode == 1
    assert "403" in done.stderr and "No rights" in done.stderr
    assert TOKEN not in done.stderr


def test_a_server_that_is_gone_is_told(tmp_path: Path):
    done = post(tmp_path, report("x"), on_github(Forge(url="http://127.0.0.1:9")))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and "127.0.0.1:9" in done.stderr
