"""service.tracing: spans of requests, received by a real collector's address."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from defectseg.errors import PackagesError
from defectseg.service.tracing import open_tracer
from drawn_model import write_painted
from live_service import LiveService, serving

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Collector:
    """What listens at an OTLP address: keeps every span."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    content = gzip.decompress(content)
                request = ExportTraceServiceRequest.FromString(content)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def post(service: LiveService, content: bytes, **headers: str) -> None:
    service.client.post(
        f"{service.url}/v1/analyze", files={"image": ("a.png", content)}, headers=headers
    )


def test_a_request_is_a_span_below_its_client_with_a_span_for_each_stage(
    tmp_path: Path, collector: Collector
):
    picture = write_painted(tmp_path / "a.png", "\n".join(["..1....."] * 8)).read_bytes()
    with serving(tmp_path, otlp_endpoint=collector.url) as service:
        post(service, picture, traceparent=f"00-{TRACE}-{PARENT}-01")
        post(service, b"no picture")
        assert service.stop() == 0  # what is left is sent at the end
    good, bad = collector.named("POST /v1/analyze")
    assert (good.trace_id.hex(), good.parent_span_id.hex()) == (TRACE, PARENT)
    assert bad.parent_span_id == b""
    codes = [
        {pair.key: pair.value.string_value for pair in span.attributes}["defectseg.code"]
        for span in (good, bad)
    ]
    assert codes == ["OK", "UNSUPPORTED_IMAGE"]
    stages = [span for span in collector.spans if span.parent_span_id == good.span_id]
    assert {span.name for span in stages} == {"read", "decode", "infer", "encode"}
    stages.sort(key=lambda span: span.start_time_unix_nano)
    assert [span.name for span in stages] == ["read", "decode", "infer", "encode"]
    ends = [span.end_time_unix_nano for span in stages]
    assert ends == sorted(ends)
    assert good.start_time_unix_nano <= stages[0].start_time_unix_nano + 1000
    assert ends[-1] <= good.end_time_unix_nano


def test_a_collector_that_is_away_harms_no_request(tmp_path: Path):
    picture = write_painted(tmp_path / "a.png", "\n".join(["..1....."] * 8)).read_bytes()
    with serving(tmp_path, otlp_endpoint="http://127.0.0.1:9/v1/traces") as service:
        assert [service.analyze(picture).status_code for _ in range(5)] == [200] * 5


def test_without_an_address_nothing_is_imported():
    code = (
        "import sys; from defectseg.service.tracing import open_tracer; "
        "assert open_tracer(None) is None; "
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_packages_are_named_with_the_command_that_brings_them(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(PackagesError, match=r"pip install 'defectseg\[otel\]'"):
        open_tracer("http://localhost:4318/v1/traces")
