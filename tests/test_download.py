"""download: whole files from real servers, good and bad ones."""

import socket
from pathlib import Path

import numpy as np
import pytest

from conftest import FileServer
from defectseg.data.sources.download import download
from defectseg.errors import SourceError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
PLENTY = 10_000_000


def fetch(url: str, folder: Path, max_bytes: int = PLENTY) -> bytes:
    download(url, folder / "file", max_bytes, backoff_s=0)
    return (folder / "file").read_bytes()


@pytest.fixture
def server(file_server: FileServer) -> FileServer:
    file_server.content = CONTENT
    file_server.headers = {"ETag": '"v1"'}
    return file_server


def test_a_file_arrives_whole(server: FileServer, tmp_path: Path):
    assert fetch(f"{server.url}/tiles.zip", tmp_path) == CONTENT


def test_a_broken_download_goes_on_where_it_broke(server: FileServer, tmp_path: Path):
    server.breaks = [1_000_000, 500_000]
    assert fetch(server.url, tmp_path) == CONTENT
    assert [asked.get("range") for asked in server.requests] == [
        None,
        "bytes=1000000-",
        "bytes=1500000-",
    ]
    assert server.requests[1]["if-range"] == '"v1"'
    assert sum(server.sent) == len(CONTENT)


def test_a_server_without_ranges_starts_anew(server: FileServer, tmp_path: Path):
    server.allows_ranges = False
    server.breaks = [1_000_000]
    assert fetch(server.url, tmp_path) == CONTENT
    assert server.sent == [1_000_000, len(CONTENT)]


def test_content_that_changed_meanwhile_is_not_mixed(server: FileServer, tmp_path: Path):
    server.breaks = [1_000_000]
    server.later_headers = {"ETag": '"v2"'}
    assert fetch(server.url, tmp_path) == CONTENT
    assert server.requests[1]["if-range"] == '"v1"'
    assert server.sent == [1_000_000, len(CONTENT)]


def test_a_weak_etag_does_not_prove_that_the_bytes_are_the_same(server: FileServer, tmp_path: Path):
    date = "Sat, 01 Jan 2022 00:00:00 GMT"
    server.headers = {"ETag": 'W/"v1"', "Last-Modified": date}
    server.breaks = [1_000_000]
    assert fetch(server.url, tmp_path) == CONTENT
    assert server.requests[1]["if-range"] == date


def test_without_etag_and_date_nothing_is_resumed(server: FileServer, tmp_path: Path):
    server.headers = {}
    server.breaks = [1_000_000]
    assert fetch(server.url, tmp_path) == CONTENT
    assert "range" not in server.requests[1]


def test_another_part_than_asked_for_is_not_written(server: FileServer, tmp_path: Path):
    server.breaks = [1_000_000]
    server.range_shift = 7
    assert fetch(server.url, tmp_path) == CONTENT
    assert [("range" in asked) for asked in server.requests] == [False, True, False]


def test_a_connection_that_always_breaks_ends_in_an_error(server: FileServer, tmp_path: Path):
    server.allows_ranges = False
    server.breaks = [1_000_000] * 20
    with pytest.raises(SourceError, match="broke after 1000000 bytes, 5 times in a row"):
        fetch(server.url, tmp_path)
    assert len(server.requests) == 5


def test_a_slow_but_advancing_download_is_not_given_up(server: FileServer, tmp_path: Path):
    server.breaks = [200_000] * 12
    assert fetch(server.url, tmp_path) == CONTENT


def test_a_busy_server_is_asked_again(server: FileServer, tmp_path: Path):
    server.statuses = [503, 429]
    assert fetch(server.url, tmp_path) == CONTENT
    assert len(server.requests) == 3


def test_a_missing_file_is_an_error_at_once(server: FileServer, tmp_path: Path):
    server.statuses = [404]
    with pytest.raises(SourceError, match="the server answered 404 Not Found"):
        fetch(server.url, tmp_path)
    assert len(server.requests) == 1


def test_a_server_that_stays_busy_is_an_error(server: FileServer, tmp_path: Path):
    server.statuses = [503] * 10
    with pytest.raises(SourceError, match="the server answered 503"):
        fetch(server.url, tmp_path)


@pytest.mark.parametrize("announces_length", [True, False])
def test_a_file_over_the_cap_is_refused(announces_length: bool, server: FileServer, tmp_path: Path):
    server.announces_length = announces_length
    with pytest.raises(SourceError, match=r"larger than 2 MB; raise data_load\.max_download_mb"):
        fetch(server.url, tmp_path, max_bytes=2_000_000)
    written = tmp_path / "file"
    assert not written.exists() or written.stat().st_size <= 2_000_000


def test_a_file_that_is_compressed_itself_is_kept_as_it_is(server: FileServer, tmp_path: Path):
    server.headers = {"Content-Encoding": "gzip"}
    assert fetch(f"{server.url}/tiles.tar.gz", tmp_path) == CONTENT


def test_no_secret_of_the_address_is_shown(server: FileServer, tmp_path: Path):
    server.statuses = [403]
    address = server.url.replace("http://", "http://user:password@")
    with pytest.raises(SourceError) as caught:
        fetch(f"{address}/tiles.zip?signature=abc", tmp_path)
    assert str(caught.value).startswith(f"{server.url}/tiles.zip cannot be downloaded")


def test_a_port_where_nobody_listens_is_an_error(tmp_path: Path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(SourceError, match=r"cannot be downloaded: .*Connection refused"):
            fetch(f"http://127.0.0.1:{port}/tiles.zip", tmp_path)


def test_another_scheme_is_an_error_that_names_those_we_know(tmp_path: Path):
    with pytest.raises(SourceError, match="expected an address of http, https, s3"):
        fetch("ftp://example.org/tiles.zip", tmp_path)


@pytest.fixture
def s3(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """The same server as an S3 endpoint."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return server


def test_a_file_arrives_whole_from_s3(s3: FileServer, tmp_path: Path):
    assert fetch("s3://bucket/tiles.zip", tmp_path) == CONTENT


def test_a_file_over_the_cap_is_refused_from_s3(s3: FileServer, tmp_path: Path):
    with pytest.raises(SourceError, match="larger than 2 MB"):
        fetch("s3://bucket/tiles.zip", tmp_path, max_bytes=2_000_000)
    assert s3.sent == []


def test_a_refusal_of_s3_is_an_error(s3: FileServer, tmp_path: Path):
    s3.statuses = [403] * 20
    with pytest.raises(SourceError, match=r"s3://bucket/tiles\.zip cannot be downloaded"):
        fetch("s3://bucket/tiles.zip", tmp_path)
