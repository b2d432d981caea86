import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from defectseg.errors import StorageError
from defectseg.storage import request, server
from defectseg.storage.folder import StorageFolder, is_locked, make_folder
from defectseg.storage.keys import Keys, keep_keys, read_keys
from defectseg.storage.request import ask_s3, endpoint_of, is_healthy, make_bucket
from defectseg.storage.server import (
    DEFAULT_PORT,
    Running,
    choose_port,
    environment_of,
    is_free,
    read_record,
    start_server,
    stop_server,
)
from storage_project import kill_server, wait_until


@pytest.fixture
def place(tmp_path: Path) -> Iterator[StorageFolder]:
    """The folder of a storage; its server is stopped at the end."""
    folder = make_folder(tmp_path / "storage")
    yield folder
    stop_server(folder)


@pytest.fixture
def running(place: StorageFolder) -> Running:
    """A server on `place` with a bucket and one object."""
    server = start_server(place, 0)
    assert make_bucket(server.record.port, server.keys, "tiles")
    (place.objects / "tiles/one").write_bytes(b"1")
    return server


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_server_takes_its_keys_and_no_others(running: Running):
    port, keys = running.record.port, running.keys
    assert ask_s3(port, keys, "GET", "/tiles/one") == 200
    assert ask_s3(port, Keys(keys.access_key_id, "0" * 40), "GET", "/tiles/one") == 403
    assert ask_s3(port, Keys("0" * 20, keys.secret_access_key), "GET", "/tiles/one") == 403
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{endpoint_of(port)}/tiles/one")
    refused.value.close()
    assert refused.value.code == 400  # rclone's answer to a request without a signature


def test_a_server_that_takes_any_keys_is_not_healthy(place: StorageFolder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [server.find_rclone(), "serve", "s3", f"--addr=127.0.0.1:{port}", "--config="]
    keys = keep_keys(place.keys)
    with subprocess.Popen([*command, str(place.objects)], stderr=subprocess.DEVNULL) as open_to_all:
        wait_until(lambda: ask_s3(port, keys, "GET", "/") == 200)
        assert not is_healthy(port, keys)
        open_to_all.kill()


def test_a_bucket_that_others_make_at_the_same_time_is_there(
    running: Running, monkeypatch: pytest.MonkeyPatch
):
    clients = 3
    all_looked = threading.Barrier(clients)

    def look_together(port: int, keys: Keys, method: str, path: str) -> int | None:
        status = ask_s3(port, keys, method, path)
        if status == 404:
            all_looked.wait(timeout=10)
        return status

    monkeypatch.setattr(request, "ask_s3", look_together)
    make = partial(make_bucket, running.record.port, running.keys)
    with ThreadPoolExecutor(clients) as pool:
        assert list(pool.map(make, ["shared"] * clients)) == [True] * clients


def test_a_server_listens_on_this_machine_only(running: Running):
    sockets = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    port = f"{running.record.port:04X}"
    listening = re.findall(rf"^ *\d+: ([0-9A-F]+):{port} [0-9A-F:]+ 0A", sockets, re.MULTILINE)
    assert listening == ["0100007F"]


def test_keys_are_seen_by_their_owner_only(place: StorageFolder, running: Running):
    secret = running.keys.secret_access_key
    assert mode(place.root) == 0o700
    assert mode(place.keys) == mode(place.log) == 0o600
    command = Path(f"/proc/{running.record.pid}/cmdline").read_bytes()
    assert b"serve\0s3" in command
    assert secret.encode() not in command
    assert secret not in place.log.read_text() + place.record.read_text() + repr(running)
    place.keys.chmod(0o644)
    keep_keys(place.keys)
    assert mode(place.keys) == 0o600


def test_keys_are_made_at_random_and_kept(tmp_path: Path):
    first = keep_keys(tmp_path / "first.json")
    assert keep_keys(tmp_path / "first.json") == first == read_keys(tmp_path / "first.json")
    assert keep_keys(tmp_path / "second.json") != first
    assert len(first.secret_access_key) == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.json", "second.json"]


@pytest.mark.parametrize("content", ["", "[]", '{"access_key_id": "a"}', "{"])
def test_damaged_keys_are_said(tmp_path: Path, content: str):
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(StorageError, match="no keys that can be read; stop the storage, delete"):
        keep_keys(path)


def test_nothing_of_the_users_own_rclone_reaches_the_server():
    given = {"PATH": "/bin", "RCLONE_ADDR": ":80", "AWS_PROFILE": "x"}
    given["RCLONE_AUTH_KEY"] = "a,b"  # pragma: allowlist secret
    assert environment_of(Keys("id", "secret"), given) == {
        "PATH": "/bin",
        "RCLONE_AUTH_KEY": '"id,secret"',
    }


def test_a_second_start_finds_the_server_that_runs(place: StorageFolder, running: Running):
    for port in (None, 0, running.record.port):
        again = start_server(place, port)
        assert (again.record, again.keys, again.is_new) == (running.record, running.keys, False)


def test_two_servers_on_one_folder_are_refused(place: StorageFolder, running: Running):
    other = choose_port(0, 0)[0]
    with pytest.raises(StorageError, match=f"already runs on .* at port {running.record.port}"):
        start_server(place, other)
    assert not (ask_s3(other, running.keys, "GET", "/"))
    assert is_healthy(running.record.port, running.keys)


def test_a_stopped_server_comes_back_with_its_objects_and_keys(
    place: StorageFolder, running: Running
):
    assert stop_server(place)
    assert not is_locked(place)
    assert read_record(place) is None
    assert ask_s3(running.record.port, running.keys, "GET", "/") is None
    assert not stop_server(place)
    again = start_server(place, running.record.port)
    assert (again.keys, again.is_new, again.notes) == (running.keys, True, ())
    assert ask_s3(running.record.port, running.keys, "GET", "/tiles/one") == 200


def test_a_killed_server_is_started_anew_and_its_unfinished_uploads_go(
    place: StorageFolder, running: Running
):
    kill_server(place)
    (place.objects / "tiles/.rclone_temp_put_1").write_bytes(b"half")
    again = start_server(place)
    assert again.record.pid != running.record.pid
    assert again.record.port == running.record.port
    assert any(f"process {running.record.pid}) ended without" in note for note in again.notes)
    assert any("removed 1 unfinished upload" in note for note in again.notes)
    assert [path.name for path in (place.objects / "tiles").iterdir()] == ["one"]


def test_the_number_of_a_dead_server_is_not_taken_for_a_running_one(place: StorageFolder):
    with subprocess.Popen(["sleep", "600"]) as innocent:
        place.record.write_text(json.dumps({"pid": innocent.pid, "port": DEFAULT_PORT}))
        assert not stop_server(place)
        place.record.write_text(json.dumps({"pid": innocent.pid, "port": choose_port(0, 0)[0]}))
        assert start_server(place).is_new
        assert stop_server(place)
        assert innocent.poll() is None
        innocent.kill()


def test_a_port_of_another_program_is_refused_or_left_to_it(place: StorageFolder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = int(other.getsockname()[1])
        assert not is_free(taken)
        with pytest.raises(StorageError, match=f"another program listens at 127.0.0.1:{taken}; "):
            start_server(place, taken)
        assert not is_locked(place)
        place.record.write_text(json.dumps({"pid": 2**22 - 1, "port": taken}))
        found = start_server(place)
        assert found.record.port != taken
        assert f"listens at 127.0.0.1:{taken}: took {found.record.port}" in found.notes[-1]


def test_a_server_that_hangs_is_said_and_can_be_stopped(
    place: StorageFolder, running: Running, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server, "START_TIMEOUT", 1.0)
    monkeypatch.setattr(server, "STOP_TIMEOUT", 1.0)
    monkeypatch.setattr("defectseg.storage.request.TIMEOUT", 0.5)
    os.kill(running.record.pid, signal.SIGSTOP)
    with pytest.raises(StorageError, match="does not answer as it should; `make storage-stop`"):
        start_server(place)
    assert stop_server(place)
    assert not is_locked(place)


def test_a_lock_without_a_record_is_said(place: StorageFolder, running: Running):
    record = place.record.read_bytes()
    place.record.unlink()
    with pytest.raises(StorageError, match=r"no record says which; `fuser .*lock` finds it"):
        stop_server(place)
    place.record.write_bytes(record)


def test_a_server_that_cannot_start_leaves_nothing(
    place: StorageFolder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server, "OPTIONS", ("--no-such-option",))
    with pytest.raises(StorageError, match=r"(?s)does not come up at .*unknown flag: --no"):
        start_server(place, 0)
    assert not is_locked(place)
    assert read_record(place) is None


def test_a_missing_rclone_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StorageError, match="rclone is not installed; `make storage` installs it"):
        server.find_rclone()


def test_a_folder_that_cannot_be_is_said(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot hold a storage: Not a directory; give another"):
        make_folder(tmp_path / "file" / "storage")


def test_an_object_can_be_read_in_parts(
    place: StorageFolder, running: Running, monkeypatch: pytest.MonkeyPatch
):
    """As DVC reads large ones; without the settings in client.ini the client refuses the parts."""
    from botocore.session import Session

    monkeypatch.setenv("AWS_CONFIG_FILE", str(place.client))
    client = Session(profile="default").create_client(
        "s3",
        endpoint_url=endpoint_of(running.record.port),
        aws_access_key_id=running.keys.access_key_id,
        aws_secret_access_key=running.keys.secret_access_key,
        region_name="us-east-1",
    )
    for name in ("two", "three"):
        client.put_object(Bucket="tiles", Key=name, Body=b"0123456789")
        part = client.get_object(Bucket="tiles", Key=name, Range="bytes=2-4")
        assert part["Body"].read() == b"234"
        part["Body"].close()
    client.close()
