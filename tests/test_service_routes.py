"""The addresses: what each answers, to whom, and that nothing else is there."""

import asyncio
import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from defectseg.data.labels.run_lengths import decode_rle
from defectseg.service.app import build_app
from drawn_model import paint
from service_parts import (
    FORM,
    Call,
    WatchedEngine,
    drawn_file,
    encode_png,
    form,
    get,
    in_loop,
    metric,
    picture_form,
    png,
    post,
    running,
    until,
)

TOKEN = "a-token-of-the-test"
PICTURE = "#.22 #... ...."


@in_loop
async def test_a_picture_gets_its_verdict_defects_mask_and_times():
    async with running(mm_per_pixel=0.5) as service:
        reply = (await post(service, png(PICTURE), headers=FORM | {"x-request-id": "r7"})).reply
    times = reply.pop("timings_ms")
    assert list(times) == ["read", "decode", "queue", "infer", "encode"]
    assert all(value >= 0 for value in times.values())
    crack = decode_rle(reply["mask"]["crack"]["counts"], (4, 3))
    assert crack.tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert (reply["image_id"], reply["request_id"]) == ("a.png", "r7")
    assert (reply["width"], reply["height"], reply["verdict"]) == (4, 3, "reject")
    defects = {defect["defect_class"]: defect for defect in reply["defects"]}
    assert set(defects) == set(reply["mask"]) == {"crack", "blowhole"}
    assert defects["blowhole"]["box"] == [2, 0, 4, 1]
    assert defects["blowhole"]["area_mm2"] == 0.5
    assert reply["model"]["version"] == "0.1.0"


@in_loop
async def test_a_picture_without_a_defect_has_an_empty_list():
    async with running() as service:
        reply = (await post(service, png("...."))).reply
        assert (reply["verdict"], reply["defects"], reply["mask"]) == ("accept", [], {})


@in_loop
async def test_the_mask_comes_as_a_picture_or_not_at_all_and_heat_where_wanted():
    async with running() as service:
        reply = (await post(service, png(PICTURE), query="mask=png&heat=true")).reply
        assert "mask" not in reply
        mask = Image.open(io.BytesIO(base64.b64decode(reply["mask_png"])))
        assert mask.mode == "P"
        assert np.asarray(mask).tolist() == [[1, 0, 2, 2], [1, 0, 0, 0], [0, 0, 0, 0]]
        heat = Image.open(io.BytesIO(base64.b64decode(reply["heat_png"])))
        assert heat.mode == "L"
        assert np.asarray(heat).tolist() == [[255, 0, 255, 255], [255, 0, 0, 0], [0, 0, 0, 0]]
        bare = (await post(service, png(PICTURE), query="mask=none")).reply
        assert not {"mask", "mask_png", "heat_png"} & set(bare)


@in_loop
async def test_heat_of_a_large_picture_has_at_most_512_pixels_a_side():
    async with running() as service:
        picture = np.zeros((300, 1024, 3), np.uint8)
        reply = (await post(service, encode_png(picture), query="heat=true&mask=none")).reply
        heat = Image.open(io.BytesIO(base64.b64decode(reply["heat_png"])))
        assert heat.size == (512, 150)


@pytest.mark.parametrize("query", ["mask=gif", "heat=perhaps", "mask=", "heat="])
@in_loop
async def test_a_wrong_parameter_is_refused_by_name_and_never_echoed(query: str):
    async with running() as service:
        call = await post(service, png(), query=query)
        assert (call.status, call.code) == (422, "BAD_PARAMETER")
        message = call.reply["error"]["message"]
        assert message.startswith(query.split("=")[0])
        assert "gif" not in message
        assert "perhaps" not in message


@in_loop
async def test_the_earlier_address_answers_the_same():
    async with running() as service:
        call = await post(service, png(PICTURE), path="/analyze")
        assert (call.code, call.reply["verdict"]) == ("OK", "reject")


@pytest.mark.parametrize(
    ("parts", "image_id"),
    [
        ([("image", "../../b\u202e.png")], "../../b\\u202e.png"),
        ([("image_id", None), ("image", "b.png")], "piece 7"),
        ([("image", "b.png"), ("image_id", None)], "piece 7"),
    ],
)
@in_loop
async def test_a_picture_is_named_by_the_field_or_the_file(parts, image_id: str):
    async with running() as service:
        body = form(
            *[
                (name, filename, b"piece 7" if filename is None else png())
                for name, filename in parts
            ]
        )
        assert (await Call().push(body).run(service)).reply["image_id"] == image_id


@in_loop
async def test_a_picture_without_any_name_has_that_of_the_request():
    async with running() as service:
        reply = (await Call().push(picture_form(png(), "")).run(service)).reply
        assert reply["image_id"] == reply["request_id"]


@in_loop
async def test_a_bad_picture_of_a_batch_fails_alone_and_the_order_is_kept():
    files = [("a.png", png(PICTURE)), ("b.png", b"x"), ("", b""), ("c.png", png("..."))]
    async with running() as service:
        body = form(*[("images", name, content) for name, content in files])
        call = await Call("/v1/analyze/batch", query="mask=none").push(body).run(service)
        reply = call.reply
        own = reply["request_id"]
        names = [item["image_id"] for item in reply["results"]]
        assert names == ["a.png", "b.png", f"{own}-2", "c.png"]
        kinds = [set(item) - {"image_id"} for item in reply["results"]]
        assert kinds == [{"result"}, {"error"}, {"error"}, {"result"}]
        codes = [item["error"]["code"] for item in reply["results"] if "error" in item]
        assert codes == ["UNSUPPORTED_IMAGE", "EMPTY_FILE"]
        assert reply["results"][0]["result"]["verdict"] == "reject"
        assert call.reply_headers["content-type"] == "application/json"


@in_loop
async def test_a_batch_has_at_most_as_many_pictures_as_set():
    async with running(max_pictures=2) as service:
        for count, code in ((1, "OK"), (2, "OK"), (3, "TOO_MANY_PARTS")):
            body = form(*[("images", f"{n}.png", png()) for n in range(count)])
            call = await Call("/v1/analyze/batch").push(body).run(service)
            assert call.code == code, count
        call = await Call("/v1/analyze/batch").push(picture_form(png())).run(service)
        assert call.code == "FILE_REQUIRED"


@in_loop
async def test_pictures_of_a_batch_that_are_late_fail_and_the_others_keep_their_results():
    engine = WatchedEngine(drawn_file())
    async with running(engine, deadline_s=0.5) as service:
        body = form(("images", "a", b"x"), ("images", "b", png()))
        engine.may_run.clear()
        call = await Call("/v1/analyze/batch").push(body).run(service)
        codes = [item["error"]["code"] for item in call.reply["results"]]
        assert codes == ["UNSUPPORTED_IMAGE", "DEADLINE_EXCEEDED"]
        await until(lambda: engine.was_stopped)


@in_loop
async def test_the_model_tells_about_itself():
    async with running(max_megapixels=3, min_side=5, max_body_mib=2) as service:
        told = (await get(service, "/v1/model")).reply
        assert told["classes"] == ["crack", "blowhole"]
        assert told["sha256"] == service.models.current.sha256
        assert told["name"] == "drawn"
        assert told["provider"] == "CPU"
        assert told["loaded_at"].endswith("+00:00")
        assert [point["threshold"] for point in told["operating_point"]["classes"]] == [0.5, 0.5]
        limits = {"max_pixels": 3_000_000, "min_side": 5, "max_body_bytes": 2 * 2**20}
        assert limits.items() <= told["input"].items()
        assert told["mm_per_pixel"] is None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/analyze/", 404),
        ("GET", "/page/../app.py", 404),
        ("GET", "/page/..%2fapp.py", 404),
        ("GET", "/page/", 404),
        ("POST", "/v1/model/reload", 404),  # there is no token
        ("GET", "/v1/analyze", 405),
        ("DELETE", "/v1/model", 405),
        ("BREW", "/live", 405),
    ],
)
@in_loop
async def test_what_is_not_there_is_refused_in_the_envelope(method: str, path: str, status: int):
    async with running() as service:
        call = await Call(path, method, headers={}).push(b"").run(service)
        assert call.status == status
        assert call.code == {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}[status]


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer x", TOKEN, f"bearer {TOKEN}", "ä"])
@in_loop
async def test_only_who_has_the_token_may_load_the_model_again(given: str | None):
    async with running(admin_token=TOKEN) as service:
        headers = {} if given is None else {"authorization": given}
        call = await Call("/v1/model/reload", headers=headers).push(b"").run(service)
        assert (call.status, call.code) == (401, "UNAUTHORIZED")
        assert metric(service, "model_reloads_total", result="ok") == 0


@in_loop
async def test_a_token_may_have_any_letters():
    token = "pässwörter-lang-genug"
    async with running(admin_token=token) as service:
        sent = f"Bearer {token}".encode().decode("latin-1")  # the bytes that curl sends
        headers = {"authorization": sent}
        call = await Call("/v1/model/reload", headers=headers).push(b"").run(service)
        assert call.status == 200


@in_loop
async def test_a_model_is_loaded_again_or_rejected_while_the_earlier_one_goes_on(
    tmp_path: Path | None = None,
):
    folder = Path(drawn_file()).parent / "reload"
    folder.mkdir(exist_ok=True)
    path = Path(shutil.copy(drawn_file(), folder / "model.onnx"))
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with running(admin_token=TOKEN, model=path) as service:
        first = service.models.current
        call = await Call("/v1/model/reload", headers=headers).push(b"").run(service)
        assert (call.status, call.reply["sha256"]) == (200, first.sha256)
        second = service.models.current
        assert second is not first
        path.write_bytes(b"garbage")
        call = await Call("/v1/model/reload", headers=headers).push(b"").run(service)
        assert (call.status, call.code) == (422, "MODEL_REJECTED")
        assert str(folder) not in json.dumps(call.reply)
        assert service.models.current is second
        assert (await post(service, png())).code == "OK"
        for result in ("ok", "rejected"):
            assert metric(service, "model_reloads_total", result=result) == 1


@in_loop
async def test_the_contract_and_the_page_are_served():
    async with running() as service:
        assert (await get(service, "/openapi.json")).reply["openapi"].startswith("3.1")
        for path in ("/", "/docs"):
            call = await get(service, path)
            assert call.status == 200
            assert call.reply_headers["content-type"] == "text/html; charset=utf-8"
            assert "content-security-policy" in call.reply_headers


@pytest.mark.parametrize("value", ["bytes=0-1", "bytes=x", "bytes=9999999-", "lines=1"])
@in_loop
async def test_a_wish_for_a_part_of_a_page_is_never_a_failure_without_an_envelope(value: str):
    async with running() as service:
        call = await get(service, "/", range=value)
        assert call.status == 200


@in_loop
async def test_no_page_of_another_host_may_ask_unless_it_is_named():
    origin = {"origin": "https://line1.example"}
    async with running() as service:
        call = await post(service, png(), headers=FORM | origin)
        assert not [name for name in call.reply_headers if name.startswith("access-control")]
    async with running(cors_origins=("https://line1.example",)) as service:
        for content in (png(), b"x"):
            call = await post(service, content, headers=FORM | origin)
            allowed = call.reply_headers["access-control-allow-origin"]
            assert allowed == "https://line1.example"
            assert "access-control-allow-credentials" not in call.reply_headers
        other = await post(service, png(), headers=FORM | {"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.reply_headers


@in_loop
async def test_many_requests_at_once_each_get_their_own_result():
    async with running(workers=2, batch_size=4, batch_window_ms=5) as service:
        app = build_app(service)
        drawings = ["#...", ".2..", "....", "##..", "...#", "22..", "#..2", "2..."]
        calls = [Call().push(picture_form(png(d), d)) for d in drawings]
        await asyncio.gather(*[call.start(app) for call in calls])
        for call, drawing in zip(calls, drawings, strict=True):
            assert call.reply["image_id"] == drawing
            expected = {"#": "crack", "2": "blowhole"}
            kinds = {defect["defect_class"] for defect in call.reply["defects"]}
            assert kinds == {expected[c] for c in drawing if c in expected}


@in_loop
async def test_grey_pictures_and_pictures_of_a_probability_below_the_threshold_are_accepted():
    async with running() as service:
        assert (await post(service, encode_png(paint("##", 120)))).reply["verdict"] == "accept"
        assert (await post(service, encode_png(paint("##", 160)))).reply["verdict"] == "review"
