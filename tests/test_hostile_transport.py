"""Hostile requests over a real socket: each gets its code, and the next is served as ever."""

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from conftest import looks_at_the_clock
from hostile_files import GOOD, assert_good_is_served
from http_sockets import Answer, Part, Wire, ask, form, post, request, upload, upload_all
from live_service import LiveService, serving

NO_FILES = ("prlimit", "--fsize=0")  # starts a process that cannot write any file
MIB = 1024 * 1024
PAGE = "https://line1.example"
SETTINGS = {"max_body_mib": 4, "header_timeout_s": 2, "body_timeout_s": 2, "slots": 8}
IMAGE = Part("image", GOOD, b"a.png")
WHOLE, KIND = form([IMAGE], "edge")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with serving(tmp_path_factory.mktemp("drawn"), wrapper=NO_FILES, **SETTINGS) as found:
        yield found


def send(parts: Sequence[Part], path: str = "/v1/analyze") -> bytes:
    return post(*form(parts), path=path)


def head(*headers: str) -> bytes:
    """The head of a request to analyze, without its body."""
    return request("/v1/analyze", headers, method="POST")


def chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces of a body as they go over the wire."""
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def no_http() -> dict[str, tuple[bytes, int, str]]:
    """What ends the connection: a request, its status and its code."""
    chunked, typed = "Transfer-Encoding: chunked", f"Content-Type: {KIND}"
    bad = (400, "BAD_REQUEST")
    return {
        "a negative length": (head(typed, "Content-Length: -1"), *bad),
        "a length and chunks": (head(typed, "Content-Length: 5", chunked), *bad),
        "chunks and a length": (head(typed, chunked, "Content-Length: 5"), *bad),
        "two lengths": (head(typed, "Content-Length: 5", "Content-Length: 6"), *bad),
        "a length in words": (head(typed, "Content-Length: five"), *bad),
        "a length of 5000 digits": (head(typed, "Content-Length: " + "9" * 5000), *bad),
        "an unknown coding": (head(typed, "Transfer-Encoding: gzip, chunked"), *bad),
        "two hosts": (request("/live", ["Host: other"]), *bad),
        "a chunk of no size": (head(typed, chunked) + b"zz\r\n", *bad),
        "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), *bad),
        "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", *bad),
        "headers of 17 KB": (request("/live", ["X-A: " + "a" * 17_000]), 431, "HEADERS_TOO_LARGE"),
        "9 headers of 2 KB": (
            request("/live", [f"X-{n}: " + "a" * 2000 for n in range(9)]),
            431,
            "HEADERS_TOO_LARGE",
        ),
    }


@pytest.mark.parametrize("name", no_http())
def test_what_is_no_proper_http_is_refused_and_ends_the_connection(service: LiveService, name: str):
    content, status, code = no_http()[name]
    before = service.metric("defectseg_protocol_errors_total", code=code)
    with Wire(service.port) as wire:
        answer = wire.ask(content)
        assert (answer.status, answer.code) == (status, code)
        assert wire.reads_end()
    assert service.metric("defectseg_protocol_errors_total", code=code) == before + 1
    assert_good_is_served(service.port)


def wrong_forms() -> dict[str, tuple[bytes, int, str]]:
    """What is HTTP, but no form with a picture: a request, its status and its code."""
    cut, fields = WHOLE[: -len(b"--edge--\r\n")], [Part(f"f{n}", b"1") for n in range(9)]
    multipart = "multipart/form-data"
    bad, many, media = (400, "BAD_MULTIPART"), (400, "TOO_MANY_PARTS"), 415
    return {
        "no boundary": (post(WHOLE, multipart), *bad),
        "an empty boundary": (post(WHOLE, f"{multipart}; boundary="), *bad),
        "another boundary": (post(WHOLE, f"{multipart}; boundary=other"), *bad),
        "no last boundary": (post(cut, KIND), *bad),
        "a cut file": (post(WHOLE[:-30], KIND), *bad),
        "a cut part header": (post(WHOLE[:30], KIND), *bad),
        "no body": (post(b"", KIND), *bad),
        "9 fields": (send([IMAGE, *fields]), *many),
        "a field of 5000 bytes": (send([IMAGE, Part("image_id", b"a" * 5000)]), *many),
        "two files in image": (send([IMAGE, IMAGE]), 400, "DUPLICATE_FILE"),
        "17 files": (upload_all([GOOD] * 17), *many),
        "no file": (send([Part("image_id", b"7")]), 422, "FILE_REQUIRED"),
        "a picture in a field": (send([Part("image", b"abc")]), 422, "FILE_REQUIRED"),
        "another name": (send([Part("file", GOOD, b"a.png")]), 422, "FILE_REQUIRED"),
        "image in a batch": (send([IMAGE], "/v1/analyze/batch"), 422, "FILE_REQUIRED"),
        "JSON": (post(b'{"image": "abc"}', "application/json"), media, "UNSUPPORTED_MEDIA_TYPE"),
        "the picture alone": (post(GOOD, "image/png"), media, "UNSUPPORTED_MEDIA_TYPE"),
        "no type": (
            head(f"Content-Length: {len(WHOLE)}") + WHOLE,
            media,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        "an unknown mask": (
            upload(GOOD, path="/v1/analyze?mask=svg"),
            422,
            "BAD_PARAMETER",
        ),
        "heat that is no yes or no": (
            upload(GOOD, path="/v1/analyze?heat=%00"),
            422,
            "BAD_PARAMETER",
        ),
    }


@pytest.mark.parametrize("name", wrong_forms())
def test_a_wrong_form_is_refused_and_the_connection_goes_on(service: LiveService, name: str):
    content, status, code = wrong_forms()[name]
    answer = ask(service.port, content)
    assert (answer.status, answer.code) == (status, code)
    with Wire(service.port) as wire:
        assert wire.ask(content).code == code
        if "connection" not in answer.headers:
            assert wire.ask(upload(GOOD)).status == 200
    assert_good_is_served(service.port)


@looks_at_the_clock
def test_a_length_over_the_limit_is_refused_before_the_body(service: LiveService):
    started = time.monotonic()
    answer = ask(service.port, head(f"Content-Type: {KIND}", f"Content-Length: {4 * MIB + 1}"))
    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
    assert time.monotonic() - started < 1
    assert service.metric("defectseg_shed_total", reason="PAYLOAD_TOO_LARGE") >= 1


def test_a_client_that_waits_for_100_continue_never_sends_what_is_too_large(service: LiveService):
    headers = [f"Content-Type: {KIND}", f"Content-Length: {5 * MIB}", "Expect: 100-continue"]
    with Wire(service.port) as wire:
        assert wire.ask(head(*headers)).code == "PAYLOAD_TOO_LARGE"
        assert wire.reads_end()


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_over_the_limit_is_refused_with_flat_memory(service: LiveService, is_chunked: bool):
    assert_good_is_served(service.port)
    before = service.memory_mib("VmHWM")
    opening = WHOLE[: WHOLE.index(GOOD)]
    pieces = itertools.chain([opening], itertools.repeat(bytes(MIB // 4), 400))
    with Wire(service.port) as wire:
        if is_chunked:
            wire.send(head(f"Content-Type: {KIND}", "Transfer-Encoding: chunked"))
            for piece in chunks(pieces):
                wire.send(piece)
        else:
            wire.send(head(f"Content-Type: {KIND}", f"Content-Length: {100 * MIB}"))
            for piece in pieces:
                wire.send(piece)
        answer = wire.read()  # only now: a reset would have thrown it away
    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
    assert service.memory_mib("VmHWM") - before < 20  # of 100 that came
    assert_good_is_served(service.port)


def test_a_file_in_a_hundred_thousand_chunks_of_one_byte_is_served(service: LiveService):
    body = form([IMAGE, Part("image_id", b"7")], "edge")[0]
    padded = body.replace(GOOD, GOOD + bytes(100_000))
    ask(service.port, upload(GOOD + bytes(100_000)))
    before = service.memory_mib("VmHWM")
    content = b"".join(chunks(bytes([byte]) for byte in padded))
    answer = ask(
        service.port, head(f"Content-Type: {KIND}", "Transfer-Encoding: chunked") + content
    )
    assert (answer.status, answer.json()["image_id"]) == (200, "7")
    assert service.memory_mib("VmHWM") - before < 10


def test_a_body_that_comes_too_slowly_ends(service: LiveService):
    started = time.monotonic()
    with Wire(service.port) as wire:
        wire.send(post(WHOLE, KIND)[:-20])
        answer = wire.read()
        assert (answer.status, answer.code) == (408, "REQUEST_TIMEOUT")
        assert 1.9 < time.monotonic() - started < 4  # body_timeout_s = 2
        assert wire.reads_end()
    assert service.metric("defectseg_in_flight") == 0


def test_a_client_that_goes_in_the_middle_of_its_body_gives_its_slot_back(service: LiveService):
    before = service.metric("defectseg_client_gone_total")
    for _ in range(20):  # of 8 slots
        with Wire(service.port) as wire:
            wire.send(post(WHOLE, KIND)[:-20])
    service.wait_for(lambda: service.metric("defectseg_client_gone_total") == before + 20)
    assert service.metric("defectseg_in_flight") == 0
    assert_good_is_served(service.port)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"../../etc/passwd", "../../etc/passwd"),
        (b"/etc/passwd", "/etc/passwd"),
        (b"C:\\fakepath\\a.png", None),
        ("tile\u202egnp.exe".encode(), "tile\\u202egnp.exe"),
        (b"a\x00.png", "a\\x00.png"),
        (b"a\x1b[2J.png", "a\\x1b[2J.png"),
        ("Gussstück 7.png".encode(), "Gussstück 7.png"),
        (b"<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        (b"\xff\xfe", None),
        (b"a" * 3000, "a" * 200),
        (b"", None),
    ],
)
def test_a_name_is_harmless_and_no_path(service: LiveService, name: bytes, told: str | None):
    answer = ask(service.port, upload(GOOD, name))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    image_id = answer.json()["image_id"]
    assert image_id.isprintable() and 0 < len(image_id) <= 200
    assert told is None or image_id == told
    assert_good_is_served(service.port)


def test_a_request_id_is_kept_if_well_formed(service: LiveService):
    def id_of(given: str) -> str:
        answer = ask(service.port, upload(GOOD, headers=[f"X-Request-ID: {given}"]))
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        return str(answer.headers["x-request-id"])

    assert id_of("line1.2026-11_21") == "line1.2026-11_21"
    for given in ("a b", "é", "a" * 65, "", "<script>", "../a", "-a"):
        assert id_of(given) != given
        assert id_of(given) != id_of(given)
    lines = [event for event in service.events("request") if "image_id" in event]
    assert "line1.2026-11_21" in {event["request_id"] for event in lines}


def every_reply(service: LiveService) -> dict[str, Answer]:
    """One reply of each address."""
    paths = ("/live", "/ready", "/metrics", "/v1/model", "/", "/openapi.json", "/docs", "/nothing")
    found = {path: ask(service.port, request(path)) for path in paths}
    return found | {
        "/analyze": ask(service.port, upload(GOOD, path="/analyze")),
        "/v1/analyze/batch": ask(service.port, upload_all([GOOD])),
        "DELETE /live": ask(service.port, request("/live", method="DELETE")),
        "GET /v1/analyze": ask(service.port, request("/v1/analyze")),
        "POST /v1/model/reload": ask(service.port, post(b"", "text/plain", "/v1/model/reload")),
    }


def test_every_address_answers_as_the_contract_says(service: LiveService):
    answers = every_reply(service)
    expected = {"/nothing": "NOT_FOUND", "POST /v1/model/reload": "NOT_FOUND"}
    expected |= dict.fromkeys(["DELETE /live", "GET /v1/analyze"], "METHOD_NOT_ALLOWED")
    assert {name: answer.code for name, answer in answers.items() if answer.code != "OK"} == (
        expected
    )
    assert answers["/live"].json() == answers["/ready"].json() == {"status": "ok"}
    assert answers["/analyze"].json()["verdict"] == "reject"
    assert answers["/v1/model"].json()["classes"] == ["crack", "blowhole"]
    assert answers["/metrics"].headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"defectseg_requests_total" in answers["/metrics"].body
    for name in ("/", "/docs"):
        assert answers[name].headers["content-type"] == "text/html; charset=utf-8"


def test_every_reply_has_the_headers_that_keep_a_browser_safe(service: LiveService):
    for name, answer in every_reply(service).items():
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, name
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"]
        assert "server" not in answer.headers


def test_the_page_of_another_host_may_not_ask(service: LiveService):
    headers = [f"Origin: {PAGE}", "Access-Control-Request-Method: POST"]
    preflight = ask(service.port, request("/v1/analyze", headers, method="OPTIONS"))
    answer = ask(service.port, upload(GOOD, headers=[f"Origin: {PAGE}"]))
    assert (preflight.status, answer.status) == (405, 200)
    assert not [name for name in [*preflight.headers, *answer.headers] if "access-control" in name]


def test_only_the_pages_that_the_settings_name_may_ask(tmp_path: Path):
    with serving(tmp_path, cors_origins=json.dumps([PAGE])) as service:

        def allowed(origin: str) -> str | None:
            answer = ask(service.port, upload(GOOD, headers=[f"Origin: {origin}"]))
            assert "access-control-allow-credentials" not in answer.headers
            return answer.headers.get("access-control-allow-origin")

        found = [allowed(origin) for origin in (PAGE, "https://evil.example", "null")]
        assert found == [PAGE, None, None]
        bad = ask(service.port, upload(b"text", headers=[f"Origin: {PAGE}"]))
        assert bad.headers.get("access-control-allow-origin") == PAGE  # else it cannot read why


def test_the_page_has_no_way_out_of_its_folder(service: LiveService):
    for path in ("/page/../codes.py", "/page/..%2fcodes.py", "/page/%2e%2e/codes.py", "/page/%00"):
        assert ask(service.port, request(path)).code == "NOT_FOUND"
    assert ask(service.port, request("/page//etc/passwd")).code == "NOT_FOUND"


def test_two_requests_in_one_piece_get_two_answers_in_order(service: LiveService):
    ids = [f"X-Request-ID: r{n}" for n in range(5)]
    with Wire(service.port) as wire:
        wire.send(b"".join(upload(GOOD, headers=[line]) for line in ids))
        answers = [wire.read() for _ in ids]
    assert [answer.headers["x-request-id"] for answer in answers] == [f"r{n}" for n in range(5)]
    assert {answer.status for answer in answers} == {200}


def test_hundreds_of_connections_that_say_nothing_keep_nobody_out(service: LiveService):
    with Wire(service.port) as first:
        silent = [Wire(service.port) for _ in range(400)]
        assert first.ask(upload(GOOD)).status == 200
        assert_good_is_served(service.port)
        assert all(wire.reads_end() for wire in silent)  # after header_timeout_s
        for wire in silent:
            wire.socket.close()
    service.wait_for(lambda: service.metric("defectseg_connections") <= 2)


def test_no_stack_path_or_exception_comes_out(service: LiveService):
    words = (b"Traceback", b"/site-packages/", b".py", b"Error:", b"PIL", b"onnxruntime")
    requests = [content for content, _, _ in [*no_http().values(), *wrong_forms().values()]]
    for content in requests:
        body = ask(service.port, content).body
        assert not [word for word in words if word in body], body
    assert not service.events("a request failed") + service.events("a stage failed")
