"""Pictures in, verdicts out: a client for a line controller, one file to copy; needs httpx alone.

    with Client("http://127.0.0.1:8000") as client:
        result = client.analyze("part.jpg")
        print(result.verdict, [defect.defect_class for defect in result.defects])

Or from a shell: python client.py --url http://127.0.0.1:8000 a.jpg b.jpg
"""

import argparse
import itertools
import json
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NoReturn

import httpx

VERDICTS = ("accept", "reject", "review")  # the exit status of the command is the place here
FAILED, USAGE = 3, 64  # further exit statuses
PASSING = frozenset({408, 429, 502, 503, 504})  # statuses of proxies that are worth another try
LONGEST_BACKOFF_S = 8
NAME_LENGTH = 200  # characters of a name that the service tells back
FILE_TYPE = "application/octet-stream"  # the service looks at the content

Picture = bytes | str | os.PathLike[str]  # the content of a file, or its path


class ServiceError(Exception):
    """No verdict.

    `code` is one of the service's (docs/service.md), UNREACHABLE without a reply, BAD_REPLY for
    one that is not the service's, or HTTP_<status> for one that a proxy gave in its place.
    """

    def __init__(self, code: str, message: str, retryable: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable  # the same request may succeed later
        self.retry_after_s = 0.0  # not sooner, says the service
        self.request_id = ""  # to be found in the service's log
        self.tries = 1


@dataclass(frozen=True)
class Defect:
    """One connected region; pixels of the upright picture, as a viewer shows it."""

    defect_class: str
    score: float  # in [0, 1]
    box: list[int]  # x1, y1, x2, y2; ends after its last column and row
    centroid: list[float]  # x, y
    area_px: int
    area_fraction: float  # of the picture
    area_mm2: float | None = None  # where the service knows the size of a pixel


@dataclass(frozen=True)
class Result:
    """What the model says about one picture."""

    image_id: str
    request_id: str
    width: int  # px, upright
    height: int  # px, upright
    verdict: str  # one of VERDICTS
    defects: list[Defect]  # the surest first
    model_sha256: str
    timings_ms: dict[str, float]
    raw: dict[str, Any]  # the whole reply, masks too


class Client:
    """Asks one service; several threads may share it."""

    def __init__(
        self,
        url: str,
        *,
        deadline_s: float = 30,
        connect_s: float = 3,
        read_s: float = 15,
        backoff_s: float = 0.25,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            deadline_s: For one call with all its tries; the last may end a little later.
            connect_s: For one try to connect.
            read_s: For one try to answer; more than the service's own DEFECTSEG_DEADLINE_S.
            backoff_s: Before the second try; then twice as long each time, up to LONGEST_BACKOFF_S.
            headers: For a proxy in front of the service, such as Authorization.
        """
        known = httpx.URL(url)
        if known.scheme not in {"http", "https"} or not known.host:
            raise ValueError(f"{url!r} is no address; expected one such as http://127.0.0.1:8000")
        self._deadline_s = deadline_s
        self._connect_s, self._read_s = connect_s, read_s
        self._backoff_s = backoff_s
        self._gave_up = threading.Event()
        self._http = httpx.Client(base_url=known, headers=headers)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.give_up()
        self._http.close()

    def give_up(self) -> None:
        """From now on nothing is tried a second time; another thread may call it."""
        self._gave_up.set()

    def analyze(self, picture: Picture, image_id: str = "", **wish: str) -> Result:
        """Ask for the verdict on one picture.

        Args:
            image_id: How the reply names it; else the name of the file.
            wish: Such as mask="png" or heat="true".

        Raises:
            ServiceError: There is none; `code` says why.
            OSError: The file cannot be read.
        """
        name, content = read_picture(picture)
        label = to_label(image_id or name)
        form = {"image_id": label} if label else {}
        files = [("image", ("picture", content, FILE_TYPE))]
        return to_result(self._call("/v1/analyze", files, form, wish))

    def analyze_batch(
        self, pictures: Sequence[Picture], **wish: str
    ) -> list[Result | ServiceError]:
        """Ask about several pictures in one request; a bad one fails alone.

        Returns:
            A result or an error a picture, in their order.

        Raises:
            ServiceError: The whole request failed.
            OSError: A file cannot be read.
        """
        read = [read_picture(picture) for picture in pictures]
        files = [
            ("images", (to_label(name) or f"picture-{number}", content, FILE_TYPE))
            for number, (name, content) in enumerate(read)
        ]
        reply = self._call("/v1/analyze/batch", files, {}, wish)
        items = reply.get("results")
        if not isinstance(items, list) or len(items) != len(files):
            raise ServiceError("BAD_REPLY", "the reply has not as many results as were asked for")
        return [to_error(x["error"]) if "error" in x else to_result(x.get("result")) for x in items]

    def _call(self, path: str, files: Any, form: Any, wish: Mapping[str, str]) -> dict[str, Any]:
        """Try until there is a reply, the failure is for good, or the deadline is near."""
        request_id = uuid.uuid4().hex  # the same for all tries: the log shows them together
        end = time.monotonic() + self._deadline_s
        for number in itertools.count():
            try:
                return self._try(path, files, form, wish, request_id, end - time.monotonic())
            except ServiceError as error:
                error.tries = number + 1
                error.request_id = request_id
                pause = error.retry_after_s + self._backoff(number)
                is_last = not error.retryable or time.monotonic() + pause >= end
                if is_last or self._gave_up.wait(pause):
                    raise
        raise RuntimeError("not reached: the tries have no end")

    def _try(
        self, path: str, files: Any, form: Any, wish: Any, request_id: str, left_s: float
    ) -> dict[str, Any]:
        connect, rest = min(self._connect_s, left_s), min(self._read_s, left_s)
        timeout = httpx.Timeout(rest, connect=connect)
        headers = {"X-Request-ID": request_id}
        try:
            response = self._http.post(
                path, files=files, data=form, params=wish, headers=headers, timeout=timeout
            )
        except httpx.TransportError as error:
            why = f"no reply from {self._http.base_url}: {error or type(error).__name__}"
            raise ServiceError("UNREACHABLE", why, True) from error
        except httpx.RequestError as error:
            raise ServiceError("BAD_REPLY", f"the reply cannot be read: {error}") from error
        return read_reply(response)

    def _backoff(self, number: int) -> float:
        """Seconds, with chance in them: clients that failed together do not come back together."""
        longest = min(LONGEST_BACKOFF_S, self._backoff_s * 2 ** min(number, 30))
        return random.uniform(longest / 2, longest)


KNOWN = {field.name for field in fields(Defect)}  # later services may tell more


def read_picture(picture: Picture) -> tuple[str, bytes]:
    """The name and the content of a file, read once: each try sends the same."""
    if isinstance(picture, bytes):
        return "", picture
    path = Path(picture)
    return path.name, path.read_bytes()


def to_label(name: str) -> str:
    """A name that can be sent: not too long, and no lone surrogates."""
    return name[:NAME_LENGTH].encode("utf-8", errors="replace").decode("utf-8")


def read_reply(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a success.

    Raises:
        ServiceError: It is none.
    """
    reply: Any = None
    with suppress(ValueError):
        reply = response.json()
    if isinstance(reply, dict) and response.status_code == 200:
        return reply
    facts = reply.get("error") if isinstance(reply, dict) else None
    if isinstance(facts, dict) and "code" in facts:
        error = to_error(facts)
    elif response.status_code == 200:
        error = ServiceError("BAD_REPLY", f"{response.url} is not the service: no JSON object came")
    else:
        status = response.status_code
        what = f"{response.url} answered {status}, not as the service does; is the address right?"
        error = ServiceError(f"HTTP_{status}", what, status in PASSING)
    error.retry_after_s = parse_retry_after(response.headers.get("retry-after", ""))
    raise error


def parse_retry_after(value: str) -> float:
    """Seconds to wait; a proxy may name a date in their place."""
    with suppress(ValueError):
        return max(0.0, float(value))
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return 0.0


def to_error(facts: Mapping[str, Any]) -> ServiceError:
    """What the service's envelope says."""
    code, message = str(facts["code"]), str(facts.get("message", ""))
    return ServiceError(code, message, facts.get("retryable") is True)


def to_result(reply: Any) -> Result:
    """Check what came: a verdict that nobody knows must not pass for one.

    Raises:
        ServiceError: It is no result of the service.
    """
    try:
        if reply["verdict"] not in VERDICTS:
            raise ValueError(f"the verdict {reply['verdict']!r} is none of {VERDICTS}")
        plain = ("image_id", "request_id", "width", "height", "verdict", "timings_ms")
        return Result(
            **{name: reply[name] for name in plain},
            defects=[
                Defect(**{name: item[name] for name in item.keys() & KNOWN})
                for item in reply["defects"]
            ],
            model_sha256=reply["model"]["sha256"],
            raw=reply,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ServiceError("BAD_REPLY", f"the reply is no result: {error!r}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line of JSON a picture; the status is that of the worst one."""
    parser = argparse.ArgumentParser(
        description="Ask the service about pictures; one line of JSON each on stdout.",
        epilog="Exit status: 0 all accepted, 1 one rejected, 2 one to be reviewed, 3 one failed, "
        "64 wrong arguments.",
    )
    parser.error = refuse_usage  # type: ignore[method-assign]
    parser.add_argument("pictures", nargs="+", metavar="PICTURE")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the service")
    parser.add_argument("--mask", choices=("rle", "png", "none"), default="rle")
    parser.add_argument("--deadline", type=float, default=30, help="seconds for one picture")
    given = parser.parse_args(arguments)
    try:
        client = Client(given.url, deadline_s=given.deadline)
    except (ValueError, httpx.InvalidURL) as error:
        refuse_usage(str(error))
    with client:
        found = {ask(client, picture, given.mask) for picture in given.pictures}
    return next(status for status in (FAILED, 1, 2, 0) if status in found)


def ask(client: Client, picture: str, mask: str) -> int:
    """Print what is said about one picture; its exit status."""
    try:
        result = client.analyze(picture, mask=mask)
    except ServiceError as error:
        facts = {"code": error.code, "message": error.message, "request_id": error.request_id}
    except OSError as error:
        facts = {"code": "UNREADABLE_FILE", "message": error.strerror or str(error)}
    else:
        print(json.dumps(result.raw), flush=True)
        return VERDICTS.index(result.verdict)
    print(json.dumps({"image_id": Path(picture).name, "error": facts}), flush=True)
    return FAILED


def refuse_usage(message: str) -> NoReturn:
    """Wrong arguments end with a status of their own: 2 would be a verdict."""
    sys.stderr.write(f"client.py: {message}\n")
    sys.exit(USAGE)


if __name__ == "__main__":
    sys.exit(main())
