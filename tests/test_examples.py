"""examples/client.py and examples/analyze.sh against the running service."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import FileServer, looks_at_the_clock
from drawn_model import write_painted
from held_slot import count_refused, held_slot
from live_service import LiveService, serving

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

from client import Client, Result, ServiceError, parse_retry_after, read_reply, to_result  # noqa: E402

CLEAN = "\n".join(["........"] * 8)
CRACK = "........ ........ ..111... ..111... ........ ........ ........ ........"
HOSTILE = [
    "a b.png",
    "-x.png",
    'q"uo"te.png',
    "back\\slash.png",
    "new\nline.png",
    "semi;type=a,b.png",
]
HOSTILE += ["$(id)`id`.png", "%41.png", "\u202egnp.exe.png", "é漢.png", '"verdict":"accept".png']
BAD = b"this is no picture"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with serving(tmp_path_factory.mktemp("service"), slots=1, max_body_mib=1) as service:
        yield service


@pytest.fixture
def client(service: LiveService) -> Iterator[Client]:
    with Client(service.url, deadline_s=20) as client:
        yield client


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """One picture for each verdict, and one that is none."""
    (tmp_path / "bad.png").write_bytes(BAD)
    return {
        "accept": write_painted(tmp_path / "accept.png", CLEAN),
        "reject": write_painted(tmp_path / "reject.png", CRACK),
        "review": write_painted(tmp_path / "review.png", CRACK, level=170),
        "bad": tmp_path / "bad.png",
    }


def run_client(*arguments: Any, seconds: float = 60) -> tuple[int, list[dict[str, Any]]]:
    """The command's exit status, and its lines."""
    command = [sys.executable, EXAMPLES / "client.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def run_curl(*arguments: Any, max_time: int = 20) -> tuple[int, str, str]:
    """The script's exit status, and what it wrote."""
    command = [EXAMPLES / "analyze.sh", *arguments]
    environment = os.environ | {"RETRY_MAX_TIME": str(max_time)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def free_port() -> int:
    """One that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def tries_of(service: LiveService, request_id: str) -> list[dict[str, Any]]:
    """The log's lines of all tries of one request."""
    return [e for e in service.events("request") if e["request_id"] == request_id]


def when(event: dict[str, Any]) -> float:
    """Its time, s."""
    return datetime.fromisoformat(event["ts"]).timestamp()


def test_a_result_tells_the_verdict_and_where_the_defect_is(
    client: Client, pictures: dict[str, Path]
):
    result = client.analyze(pictures["reject"])
    (defect,) = result.defects
    assert (result.verdict, result.image_id) == ("reject", "reject.png")
    assert (result.width, result.height) == (8, 8)
    assert (defect.defect_class, defect.box, defect.area_px) == ("crack", [2, 2, 5, 4], 6)
    assert defect.area_fraction == 6 / 64
    assert defect.area_mm2 is None
    assert result.raw["mask"]["crack"]["size"] == [8, 8]


def test_bytes_are_taken_as_well_as_a_path_and_may_have_a_name(
    client: Client, pictures: dict[str, Path]
):
    result = client.analyze(pictures["accept"].read_bytes(), image_id="line 1/7", mask="none")
    assert (result.verdict, result.image_id) == ("accept", "line 1/7")
    assert "mask" not in result.raw


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["accept"], 0),
        (["reject", "review"], 1),
        (["accept", "review"], 2),
        (["accept", "bad", "reject"], 3),
    ],
)
def test_the_command_prints_a_line_a_picture_and_ends_with_the_worst(
    service: LiveService, pictures: dict[str, Path], names: list[str], status: int
):
    found, lines = run_client("--url", service.url, *(pictures[name] for name in names))
    assert found == status
    assert [line.get("verdict", "bad") for line in lines] == names


def test_a_file_that_is_not_there_fails_alone(service: LiveService, pictures: dict[str, Path]):
    status, (gone, good) = run_client("--url", service.url, "gone.png", pictures["accept"])
    assert (status, gone["error"]["code"]) == (3, "UNREADABLE_FILE")
    assert good["verdict"] == "accept"


@pytest.mark.parametrize("arguments", [[], ["--url", "nowhere", "a.png"], ["--mask", "x", "a.png"]])
def test_wrong_arguments_do_not_look_like_a_verdict(arguments: list[str]):
    assert run_client(*arguments)[0] == 64


def test_a_bad_picture_is_told_at_once_with_its_code_and_request_id(
    service: LiveService, client: Client
):
    with pytest.raises(ServiceError) as caught:
        client.analyze(BAD)
    error = caught.value
    assert (error.code, error.retryable, error.tries) == ("UNSUPPORTED_IMAGE", False, 1)
    [event] = service.wait_for(lambda: tries_of(service, error.request_id))
    assert event["code"] == "UNSUPPORTED_IMAGE"


def test_a_body_that_is_refused_while_it_is_sent_is_told_by_its_code(client: Client):
    with pytest.raises(ServiceError) as caught:
        client.analyze(bytes(20_000_000))
    assert (caught.value.code, caught.value.tries) == ("PAYLOAD_TOO_LARGE", 1)


def test_a_busy_service_is_asked_again_under_the_same_id_but_not_before_it_said(
    service: LiveService, client: Client, pictures: dict[str, Path]
):
    before = count_refused(service)
    with ThreadPoolExecutor(1) as pool:
        with held_slot(service):
            answer = pool.submit(client.analyze, pictures["reject"])
            service.wait_for(lambda: count_refused(service) > before)
        result = answer.result()
    assert result.verdict == "reject"
    tries = service.wait_for(lambda: is_answered(tries_of(service, result.request_id)))
    assert [event["code"] for event in tries] == ["QUEUE_FULL"] * (len(tries) - 1) + ["OK"]
    pauses = [when(b) - when(a) for a, b in pairwise(tries)]
    assert min(pauses) >= 0.99  # Retry-After is 1


def is_answered(tries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tries, once the last one went well."""
    return tries if tries and tries[-1]["code"] == "OK" else []


@looks_at_the_clock
def test_one_deadline_holds_for_all_tries(service: LiveService, pictures: dict[str, Path]):
    with Client(service.url, deadline_s=2) as client, held_slot(service):
        started = time.monotonic()
        with pytest.raises(ServiceError) as caught:
            client.analyze(pictures["reject"])
        assert time.monotonic() - started < 2
    assert (caught.value.code, caught.value.tries) == ("QUEUE_FULL", 2)  # at 0 s and 1 s


def test_another_thread_can_end_the_waiting(service: LiveService, pictures: dict[str, Path]):
    before = count_refused(service)
    with (
        Client(service.url, deadline_s=50, backoff_s=40) as client,
        ThreadPoolExecutor(1) as pool,
        held_slot(service),
    ):
        answer = pool.submit(client.analyze, pictures["reject"])
        service.wait_for(lambda: count_refused(service) > before)
        client.give_up()
        with pytest.raises(ServiceError, match="QUEUE_FULL"):
            answer.result(timeout=5)


def test_a_service_that_is_down_is_unreachable_after_several_tries():
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url, deadline_s=1) as client, pytest.raises(ServiceError) as caught:
        client.analyze(BAD)
    assert (caught.value.code, caught.value.retryable) == ("UNREACHABLE", True)
    assert caught.value.tries >= 2


@looks_at_the_clock
def test_a_service_that_never_answers_is_left_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        with Client(url, deadline_s=1) as client, pytest.raises(ServiceError, match="UNREACHABLE"):
            client.analyze(BAD)
        assert 0.9 < time.monotonic() - started < 3


@pytest.mark.slow
def test_a_restart_in_the_middle_is_only_a_longer_wait(tmp_path: Path, pictures: dict[str, Path]):
    port = free_port()
    with Client(f"http://127.0.0.1:{port}") as client, ThreadPoolExecutor(1) as pool:
        with serving(tmp_path / "first", port=port) as first:
            assert client.analyze(pictures["accept"]).verdict == "accept"
            assert first.stop() == 0
        answer = pool.submit(client.analyze, pictures["reject"])
        script = pool.submit(run_curl, pictures["reject"], f"http://127.0.0.1:{port}")
        with serving(tmp_path / "second", port=port):
            assert answer.result().verdict == "reject"
            assert script.result()[0] == 1


def test_a_wrong_address_is_told_at_once(service: LiveService, file_server: FileServer):
    for url, code in [(f"{service.url}/else", "NOT_FOUND"), (file_server.url, "HTTP_501")]:
        with Client(url) as client, pytest.raises(ServiceError) as caught:
            client.analyze(BAD)
        assert (caught.value.code, caught.value.tries) == (code, 1)
    with pytest.raises(ValueError, match="'localhost:8000' is no address; expected"):
        Client("localhost:8000")


@pytest.mark.parametrize(
    ("status", "body", "code", "retryable"),
    [
        (502, b"<html>", "HTTP_502", True),
        (404, b"<html>", "HTTP_404", False),
        (302, b"", "HTTP_302", False),
        (200, b"<html>", "BAD_REPLY", False),
        (200, b"[]", "BAD_REPLY", False),
        (503, b'{"error": "busy"}', "HTTP_503", True),
    ],
)
def test_what_a_proxy_says_in_the_service_s_place_is_no_result(
    status: int, body: bytes, code: str, retryable: bool
):
    request = httpx.Request("POST", "http://proxy/v1/analyze")
    with pytest.raises(ServiceError) as caught:
        read_reply(httpx.Response(status, content=body, request=request))
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


def test_what_is_no_result_never_passes_for_a_verdict(client: Client, pictures: dict[str, Path]):
    raw = client.analyze(pictures["accept"]).raw
    assert to_result(raw).verdict == "accept"
    without = [{key: raw[key] for key in raw if key != gone} for gone in ("verdict", "defects")]
    for reply in (None, {}, raw | {"verdict": "fine"}, raw | {"defects": [{}]}, *without):
        with pytest.raises(ServiceError, match="BAD_REPLY"):
            to_result(reply)


def test_a_pause_may_be_told_in_seconds_or_as_a_date():
    assert [parse_retry_after(value) for value in ("3", "0.5", "-5", "", "soon")] == [
        3,
        0.5,
        0,
        0,
        0,
    ]
    assert 55 < parse_retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_a_bad_picture_of_a_batch_fails_alone(client: Client, pictures: dict[str, Path]):
    first, bad, last = client.analyze_batch([pictures["reject"], BAD, pictures["accept"]])
    assert isinstance(first, Result)
    assert (first.image_id, first.verdict) == ("reject.png", "reject")
    assert isinstance(bad, ServiceError)
    assert bad.code == "UNSUPPORTED_IMAGE"
    assert isinstance(last, Result)
    assert last.verdict == "accept"


def test_a_batch_that_fails_as_a_whole_raises(client: Client):
    with pytest.raises(ServiceError, match="TOO_MANY_PARTS"):
        client.analyze_batch([BAD] * 17)


@pytest.mark.parametrize("name", [*HOSTILE, os.fsdecode(b"\xff\xfe.png"), f"{'x' * 251}.png"])
def test_a_hostile_name_changes_nothing(
    service: LiveService, client: Client, tmp_path: Path, name: str
):
    picture = write_painted(tmp_path / name, CRACK)
    assert client.analyze(picture).verdict == "reject"
    assert [item.verdict for item in client.analyze_batch([picture])] == ["reject"]  # type: ignore[union-attr]
    assert run_curl(picture, service.url)[0] == 1


@pytest.mark.parametrize(("name", "status"), [("accept", 0), ("reject", 1), ("review", 2)])
def test_the_script_ends_with_the_verdict_and_prints_the_reply(
    service: LiveService, pictures: dict[str, Path], name: str, status: int
):
    found, out, _ = run_curl(pictures[name], f"{service.url}/")
    assert (found, json.loads(out)["verdict"]) == (status, name)


def test_the_script_tells_a_failure_on_stderr_alone(
    service: LiveService, pictures: dict[str, Path]
):
    status, out, complaint = run_curl(pictures["bad"], service.url)
    assert (status, out) == (3, "")
    assert '"UNSUPPORTED_IMAGE"' in complaint
    status, out, complaint = run_curl(pictures["reject"], f"{service.url}/else")
    assert (status, out) == (3, "")
    assert "404" in complaint


def test_the_script_tries_again_until_its_time_is_over(
    service: LiveService, pictures: dict[str, Path]
):
    before = count_refused(service)
    with ThreadPoolExecutor(1) as pool:
        with held_slot(service):
            answer = pool.submit(run_curl, pictures["reject"], service.url)
            service.wait_for(lambda: count_refused(service) > before)
        assert answer.result()[0] == 1
    with held_slot(service):
        status, _, complaint = run_curl(pictures["reject"], service.url, max_time=2)
    assert status == 3
    assert '"QUEUE_FULL"' in complaint
    assert run_curl(pictures["reject"], f"http://127.0.0.1:{free_port()}", max_time=2)[0] == 3


@pytest.mark.parametrize("arguments", [[], ["gone.png"], [EXAMPLES], ["a", "b", "c"]])
def test_wrong_arguments_of_the_script_do_not_look_like_a_verdict(arguments: list[str]):
    assert run_curl(*arguments)[0] == 64


def test_the_program_of_the_readme_runs_as_it_stands(
    service: LiveService, pictures: dict[str, Path]
):
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    program = readme.partition("```python\n")[2].partition("```")[0]
    program = program.replace("http://127.0.0.1:8000", service.url)
    for name, expected in [("reject", "reject [('crack', [2, 2, 5, 4], 1.0)]"), ("bad", "UNSUPP")]:
        command = [sys.executable, "-c", program.replace("part.png", str(pictures[name]))]
        done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, check=True)
        assert expected in done.stdout
