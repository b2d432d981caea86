"""The contract: docs/openapi.json is what the routes say, and the replies are what it says."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from defectseg.service.codes import CODES
from defectseg.service.openapi import read_contract
from drawn_model import NOT_A_NUMBER, paint
from service_parts import Call, encode_png, form, get, in_loop, png, post, running

FILE = Path(__file__).parents[1] / "docs/openapi.json"
CONTRACT = read_contract()
PATHS = {
    ("/v1/analyze", "post"),
    ("/v1/analyze/batch", "post"),
    ("/v1/model", "get"),
    ("/v1/model/reload", "post"),
    ("/live", "get"),
    ("/ready", "get"),
    ("/metrics", "get"),
}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in CONTRACT["paths"].items()
        for method, operation in methods.items()
    ]


def media() -> list[tuple[str, dict[str, Any]]]:
    """Every JSON reply: where it stands, and its schema with examples."""
    return [
        (f"{method} {path} {status}", reply["content"]["application/json"])
        for path, method, operation in operations()
        for status, reply in operation["responses"].items()
        if "application/json" in reply.get("content", {})
    ]


def validate(value: Any, schema: dict[str, Any]) -> None:
    """Raises what is wrong; references point into the contract."""
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": CONTRACT["components"]})
    validator.validate(value)


def schema_of(path: str, method: str, status: int) -> dict[str, Any]:
    reply = CONTRACT["paths"][path][method]["responses"][str(status)]
    return reply["content"]["application/json"]["schema"]


def test_the_committed_file_is_the_contract_of_today():
    assert json.loads(FILE.read_text(encoding="utf-8")) == CONTRACT, "run `make openapi`"


def test_it_is_openapi_3_1_and_has_every_address():
    assert CONTRACT["openapi"].startswith("3.1")
    assert {(path, method) for path, method, _ in operations()} == PATHS
    for _, _, operation in operations():
        assert operation["summary"]
        assert operation["responses"]


def test_every_reference_leads_to_something():
    known = {f"#/components/schemas/{name}" for name in CONTRACT["components"]["schemas"]}
    found = set(json_strings(CONTRACT, "$ref"))
    assert found
    assert found <= known


def json_strings(value: Any, key: str) -> list[str]:
    """Every text at a key, wherever it stands."""
    if isinstance(value, dict):
        own = [value[key]] if isinstance(value.get(key), str) else []
        return own + [text for inner in value.values() for text in json_strings(inner, key)]
    if isinstance(value, list):
        return [text for inner in value for text in json_strings(inner, key)]
    return []


def test_every_security_scheme_that_is_asked_for_is_there():
    asked = {name for _, _, op in operations() for rule in op.get("security", []) for name in rule}
    assert asked == set(CONTRACT["components"].get("securitySchemes", {})) == {"admin"}


def test_every_code_is_in_it():
    missing = [code for code in CODES if code not in json.dumps(CONTRACT)]
    assert missing == []


def test_every_failure_that_an_address_may_give_has_an_example_of_its_status():
    for where, found in media():
        for name, example in found.get("examples", {}).items():
            assert where.endswith(f" {CODES[name].status}"), where
            assert example["value"]["error"]["code"] == name


@pytest.mark.parametrize(("where", "found"), media())
def test_every_schema_is_one_and_its_examples_are_valid(where: str, found: dict[str, Any]):
    jsonschema_rs.meta.validate(found["schema"])
    examples = [example["value"] for example in found.get("examples", {}).values()]
    for value in [*examples, *([found["example"]] if "example" in found else [])]:
        validate(value, found["schema"])


@in_loop
async def test_replies_are_as_the_contract_says():
    async with running(mm_per_pixel=0.5) as service:
        for query in ("", "mask=png&heat=true", "mask=none"):
            call = await post(service, png("#.2 ..."), query=query)
            validate(call.reply, schema_of("/v1/analyze", "post", 200))
        body = form(("images", "a", png()), ("images", "b", b"x"))
        call = await Call("/v1/analyze/batch").push(body).run(service)
        validate(call.reply, schema_of("/v1/analyze/batch", "post", 200))
        for path in ("/v1/model", "/live", "/ready"):
            validate((await get(service, path)).reply, schema_of(path, "get", 200))


@in_loop
async def test_failures_are_as_the_contract_says():
    no_number = paint("..")
    no_number[..., 2] = NOT_A_NUMBER
    async with running() as service:
        for content in (b"", b"x", encode_png(no_number)):
            call = await post(service, content)
            validate(call.reply, schema_of("/v1/analyze", "post", call.status))


def test_what_is_not_as_the_contract_says_would_be_found():
    with pytest.raises(jsonschema_rs.ValidationError):
        validate({"error": {"code": "X"}}, schema_of("/v1/analyze", "post", 413))
    with pytest.raises(jsonschema_rs.ValidationError):
        validate({"verdict": "reject"}, schema_of("/v1/analyze", "post", 200))
