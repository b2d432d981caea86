"""A Markdown file in, one comment of a pull or merge request out: made once, then written anew.

The standard library alone: it runs beside a token that may write, so with as little code as can be.
GitHub's runner says where: GITHUB_API_URL, GITHUB_REPOSITORY; the workflow adds GITHUB_TOKEN and
PULL_REQUEST, its number. GitLab's says CI_API_V4_URL, CI_PROJECT_ID and CI_MERGE_REQUEST_IID;
REPORT_TOKEN is a project access token of the scope `api`.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

MARKER = "<!-- defectseg compare -->"
LIMIT = 65_000  # characters; GitHub takes 65 536
MOST_BYTES = 1_000_000  # a larger file is no comment
PAGE = 100  # comments an answer
PAGES = 50
TIMEOUT = 30.0  # seconds


class CommentError(Exception):
    """The comment cannot be written; says why."""


@dataclass(frozen=True)
class Forge:
    """Where the comments of one pull request lie."""

    comments: str  # address: GET lists them, POST adds one
    one: str  # address of one comment, with {id}
    method: str  # that writes one anew
    headers: dict[str, str]
    author: str  # login whose comments are ours; empty: that of the token, from `user`
    user: str  # address that says whose token it is


def find_forge(environment: Mapping[str, str]) -> Forge:
    """What the environment says, GitHub or GitLab.

    Raises:
        CommentError: Something is missing, or the number is none.
    """
    try:
        if "CI_API_V4_URL" in environment:
            number = _number(environment["CI_MERGE_REQUEST_IID"])
            root = environment["CI_API_V4_URL"]
            notes = f"{root}/projects/{_number(environment['CI_PROJECT_ID'])}"
            notes += f"/merge_requests/{number}/notes"
            headers = {"PRIVATE-TOKEN": environment["REPORT_TOKEN"]}
            return Forge(notes, f"{notes}/{{id}}", "PUT", headers, "", f"{root}/user")
        number = _number(environment["PULL_REQUEST"])
        root = f"{environment['GITHUB_API_URL']}/repos/{environment['GITHUB_REPOSITORY']}"
        headers = {
            "Authorization": f"Bearer {environment['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        author = environment.get("COMMENT_AUTHOR", "github-actions[bot]")
        comments = f"{root}/issues/{number}/comments"
        return Forge(comments, f"{root}/issues/comments/{{id}}", "PATCH", headers, author, "")
    except KeyError as error:
        raise CommentError(f"the environment has no {error.args[0]}; see ci/comment.py") from error


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise CommentError(f"{text!r} is no number of a pull request or project")
    return int(text)


def read_body(path: Path) -> str:
    """The text of the comment, with its marker, cut where it is too long.

    Raises:
        CommentError: It is missing, far too large, or has no marker.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise CommentError(f"{path} is no comment: it has over {MOST_BYTES} bytes")
        body = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CommentError(f"there is no report to post: {error}") from error
    if MARKER not in body[:LIMIT]:
        raise CommentError(f"{path} has no line {MARKER}: it would not be found again")
    if len(body) <= LIMIT:
        return body
    return f"{body[:LIMIT]}\n\nCut here: all of it is in this run's artifacts.\n"


def write_comment(forge: Forge, body: str) -> str:
    """Write our comment anew, or add it where there is none; says which.

    Raises:
        CommentError: The forge refuses or cannot be reached.
    """
    author = forge.author or str(_ask(forge, "GET", forge.user)["username"])
    for comment in _list_comments(forge):
        by = comment.get("user") or comment.get("author") or {}
        is_ours = (by.get("login") or by.get("username")) == author
        if is_ours and MARKER in (comment.get("body") or ""):
            number = int(comment["id"])
            _ask(forge, forge.method, forge.one.format(id=number), body)
            return f"comment {number} written anew"
    return f"comment {_ask(forge, 'POST', forge.comments, body)['id']} added"


def _list_comments(forge: Forge) -> Iterator[dict[str, Any]]:
    for page in range(1, PAGES + 1):
        found = _ask(forge, "GET", f"{forge.comments}?per_page={PAGE}&page={page}")
        yield from found
        if len(found) < PAGE:
            return


def _ask(forge: Forge, method: str, address: str, body: str | None = None) -> Any:
    data = None if body is None else json.dumps({"body": body}).encode()
    headers = forge.headers | {"Content-Type": "application/json", "User-Agent": "defectseg"}
    request = Request(address, data=data, headers=headers, method=method)
    try:
        with urlopen(request, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except HTTPError as error:
        said = error.read(500).decode("utf-8", "replace")
        raise CommentError(f"{method} {address}: {error.code} {error.reason}: {said}") from error
    except (URLError, TimeoutError, ValueError) as error:
        raise CommentError(f"{method} {address}: {error}") from error


def main() -> int:
    """Post the file that is named; 1 where that cannot be done."""
    if len(sys.argv) != 2:
        print("usage: python3 ci/comment.py FILE", file=sys.stderr)
        return 2
    try:
        print(write_comment(find_forge(os.environ), read_body(Path(sys.argv[1]))))
    except CommentError as error:
        print(f"comment: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
