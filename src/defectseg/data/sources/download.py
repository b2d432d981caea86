"""The address of one file in, the whole file out: resumed where it broke, never too large."""

import time
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from http import HTTPStatus
from pathlib import Path
from typing import IO, NoReturn
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from defectseg.errors import SourceError

SCHEMES = ("http", "https", "s3")
TIMEOUT_S = (10.0, 60.0)  # to connect; between two pieces
ATTEMPTS = 5  # breaks in a row without one new byte
CHUNK = 1 << 18  # bytes
S3_CHUNK = 1 << 23  # bytes; each is one request
PART_STATUSES = (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
BUSY = (429, 500, 502, 503, 504)  # statuses that a later try may not meet
LONGEST_WAIT_S = 60


def download(url: str, target: Path, max_bytes: int, backoff_s: float = 0.5) -> None:
    """Fetch http(s)://… or s3://bucket/key into a new file.

    Keys and endpoint of S3 come from the environment, as for every AWS tool.

    Args:
        url: The address of one file.
        target: The file to write.
        max_bytes: Refuse more than this, whatever the server announces.
        backoff_s: Wait before the second try; doubled for each further one.

    Raises:
        SourceError: The file cannot be had, or is larger than allowed.
        OSError: The target cannot be written, for instance because the disk is full.
    """
    scheme = urlsplit(url).scheme.lower()
    if scheme == "s3":
        _fetch_s3(url, target, max_bytes)
    elif scheme in SCHEMES:
        _HttpDownload(url, target, max_bytes, backoff_s).run()
    else:
        raise SourceError(f"{public_part(url)}: expected an address of {', '.join(SCHEMES)}")


def public_part(url: str) -> str:
    """The address without user, password and query, which may hold secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@dataclass
class _HttpDownload:
    """One download over http(s), as far as it has come."""

    url: str
    target: Path
    max_bytes: int
    backoff_s: float
    received: int = 0  # bytes in the target
    validator: str = ""  # what If-Range needs to resume the same content; empty if there is none

    def run(self) -> None:
        with requests.Session() as session, _bar() as bar:
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=self._retries()))
            breaks, furthest = 0, 0
            while True:
                try:
                    self._continue(session, bar)
                    return
                except _BrokenError as error:
                    breaks = 1 if self.received > furthest else breaks + 1
                    furthest = max(furthest, self.received)
                    if breaks >= ATTEMPTS:
                        raise self._failed(f"{error}, {breaks} times in a row") from error
                    time.sleep(min(self.backoff_s * 2 ** (breaks - 1), LONGEST_WAIT_S))
                except requests.RequestException as error:
                    raise self._failed(_reason(error)) from error

    def _continue(self, session: requests.Session, bar: "tqdm[NoReturn]") -> None:
        """One request: the whole file, or the rest of it where the server allows."""
        headers = {"Accept-Encoding": "identity"}
        if self.received and self.validator:
            headers |= {"Range": f"bytes={self.received}-", "If-Range": self.validator}
        with session.get(self.url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
            self._check_status(answer)
            if answer.status_code == HTTPStatus.OK:
                self.received = 0
            size = _announced_size(answer)
            self._check_size(size or 0)
            self.validator = _validator(answer)
            bar.total = size
            self._save(answer, bar)
        if size is not None and self.received != size:
            raise _BrokenError(f"the connection ended after {self.received} of {size} bytes")

    def _save(self, answer: requests.Response, bar: "tqdm[NoReturn]") -> None:
        with self.target.open("r+b" if self.received else "wb") as file:
            file.seek(self.received)
            bar.n = self.received
            try:
                # raw: a server that calls a .tar.gz "Content-Encoding: gzip" shall not unpack it
                for chunk in answer.raw.stream(CHUNK, decode_content=False):
                    self._check_size(self.received + len(chunk))
                    file.write(chunk)
                    self.received += len(chunk)
                    bar.update(len(chunk))
            except HTTPError as error:
                raise _BrokenError(f"the connection broke after {self.received} bytes") from error

    def _check_status(self, answer: requests.Response) -> None:
        if self.url.lower().startswith("https:") and answer.url.lower().startswith("http:"):
            raise self._failed("the server leads from https to http, where anyone may change it")
        if answer.status_code == HTTPStatus.OK:
            return
        part = answer.headers.get("Content-Range", "")
        resumes = self.received > 0 and part.startswith(f"bytes {self.received}-")
        if answer.status_code == HTTPStatus.PARTIAL_CONTENT and resumes:
            return
        if answer.status_code in PART_STATUSES:
            self.received, self.validator = 0, ""
            raise _BrokenError("the server sent another part than was asked for")
        raise self._failed(f"the server answered {answer.status_code} {answer.reason}")

    def _check_size(self, size: int) -> None:
        if size > self.max_bytes:
            raise _too_large(self.url, self.max_bytes)

    def _failed(self, why: str) -> SourceError:
        return SourceError(f"{public_part(self.url)} cannot be downloaded: {why}")

    def _retries(self) -> Retry:
        """Retries before the first byte of an answer; breaks after it are ours."""
        return Retry(
            total=ATTEMPTS,
            status_forcelist=BUSY,
            backoff_factor=self.backoff_s,
            backoff_max=LONGEST_WAIT_S,
            retry_after_max=LONGEST_WAIT_S,
            raise_on_status=False,
        )


def _bar(size: int | None = None) -> "tqdm[NoReturn]":
    return tqdm(desc="download", total=size, unit="B", unit_scale=True)


class _BrokenError(Exception):
    """An answer that ended early: worth another try."""


def _reason(error: requests.RequestException) -> str:
    """What went wrong, without the address that requests puts around it."""
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "reason", cause)).rpartition(": ")[2]


def _announced_size(answer: requests.Response) -> int | None:
    """Bytes of the whole file, if the server says so."""
    whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
    size = whole or answer.headers.get("Content-Length", "")
    return int(size) if size.isdecimal() else None


def _validator(answer: requests.Response) -> str:
    """What proves later that the server still has the same bytes: a strong ETag or a date."""
    etag = answer.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _fetch_s3(url: str, target: Path, max_bytes: int) -> None:
    import s3fs  # type: ignore[import-untyped]  # comes with dvc-s3 and takes a second to import
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

    try:
        files = s3fs.S3FileSystem(skip_instance_cache=True)
        size = int(files.info(url)["size"])
        if size > max_bytes:
            raise _too_large(url, max_bytes)
        with files.open(url, "rb", cache_type="none", size=size) as source:
            _save_s3(source, target, size)
    except (OSError, ValueError, BotoCoreError) as error:
        if isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT}:
            raise
        raise SourceError(f"{url} cannot be downloaded: {error or type(error).__name__}") from error


def _save_s3(source: IO[bytes], target: Path, size: int) -> None:
    with target.open("wb") as file, _bar(size) as bar:
        while chunk := source.read(S3_CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
    if target.stat().st_size != size:
        raise ValueError(f"{target.stat().st_size} of {size} bytes received")


def _too_large(url: str, max_bytes: int) -> SourceError:
    return SourceError(
        f"{public_part(url)} is larger than {max_bytes / 1e6:g} MB; "
        "raise data_load.max_download_mb if that is right"
    )
