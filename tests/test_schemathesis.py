"""Schemathesis reads /openapi.json and asks the running service: it keeps what it promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hostile_files import assert_good_is_served
from http_sockets import ask, post, request
from live_service import serving

PROGRAM = Path(sys.executable).with_name("st")
CHECKS = (  # all but one: a string of random bytes is a proper upload, but no picture
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance", "negative_data_rejection"),
    *("missing_required_header", "unsupported_method", "allow_header_conformance"),
    *("use_after_free", "ensure_resource_availability", "ignored_auth"),
)
TOKEN = "0123456789abcdef"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_service_keeps_what_its_description_promises(tmp_path: Path):
    with serving(tmp_path, admin_token=TOKEN, model_poll_s=0) as service:
        found = subprocess.run(
            [
                *(PROGRAM, "run", f"{service.url}/openapi.json", "--checks", ",".join(CHECKS)),
                *("--header", f"Authorization: Bearer {TOKEN}", "--max-examples", "30"),
                *("--seed", "1", "--no-shrink", "--continue-on-failure"),
                *("--phases", "examples,coverage,fuzzing", "--request-timeout", "20"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-1000:]
        assert "7 selected / 7 total" in found.stdout
        codes = {code for name in service.metrics() for code in re.findall(r'code="(\w+)"', name)}
        assert {"OK", "FILE_REQUIRED", "METHOD_NOT_ALLOWED"} <= codes  # it came that far
        assert_good_is_served(service.port)


def test_a_refused_method_is_told_which_one_is_known(tmp_path: Path):
    with serving(tmp_path, admin_token=TOKEN) as service:
        answer = ask(service.port, request("/live", method="TRACE"))
        assert (answer.code, answer.headers["allow"]) == ("METHOD_NOT_ALLOWED", "GET")
        stranger = ask(service.port, post(b"", "text/plain", "/v1/model/reload"))
        assert (stranger.code, stranger.headers["www-authenticate"]) == ("UNAUTHORIZED", "Bearer")
