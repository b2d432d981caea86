"""Metrics: their names and labels are a contract, and no client can make new series."""

import pytest

from defectseg.service.metrics import OPENMETRICS, TEXT
from defectseg.service.service import Service
from drawn_model import NOT_A_NUMBER, paint
from service_parts import (
    Call,
    encode_png,
    form,
    get,
    in_loop,
    metric,
    picture_form,
    png,
    post,
    running,
)

NAMES: dict[str, tuple[str, ...]] = {
    "requests_total": ("path", "code"),
    "request_seconds": ("path",),
    "stage_seconds": ("stage",),
    "in_flight": (),
    "queue_depth": (),
    "queue_limit": (),
    "shed_total": ("reason",),
    "client_gone_total": (),
    "connections": (),
    "protocol_errors_total": ("code",),
    "model_info": ("name", "version", "sha256", "precision"),
    "model_loaded_timestamp_seconds": (),
    "model_reloads_total": ("result",),
    "model_output_invalid_total": (),
    "verdicts_total": ("verdict",),
    "defects_total": ("defect_class",),
    "picture_failures_total": ("code",),
    "picture_brightness": (),
    "picture_contrast": (),
    "workers": (),
    "worker_restarts_total": (),
    "worker_heartbeat_age_seconds": ("worker",),
    "phase": ("phase",),
}


def labels_of(service: Service) -> dict[str, tuple[str, ...]]:
    """Every metric of the registry and the names of its labels."""
    found = {}
    for collector in set(service.metrics.registry._names_to_collectors.values()):
        [family] = collector.describe()
        name = family.name.removeprefix("defectseg_")
        name += "_total" if family.type == "counter" else ""
        found[name] = collector._labelnames
    return found


def series(service: Service) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Every series that there is."""
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in service.metrics.registry.collect()
        for sample in family.samples
    }


@in_loop
async def test_the_names_and_labels_are_those_that_dashboards_ask_for():
    async with running() as service:
        assert labels_of(service) == NAMES


@in_loop
async def test_requests_and_what_came_of_them_are_counted():
    no_number = paint("..")
    no_number[..., 2] = NOT_A_NUMBER
    async with running() as service:
        for content in (png("#.2 ..."), png("#..."), png("..."), b"x", encode_png(no_number)):
            await post(service, content)
        counted = {
            code: metric(service, "requests_total", path="/v1/analyze", code=code)
            for code in ("OK", "UNSUPPORTED_IMAGE", "MODEL_OUTPUT_INVALID", "INTERNAL")
        }
        assert counted == {
            "OK": 3,
            "UNSUPPORTED_IMAGE": 1,
            "MODEL_OUTPUT_INVALID": 1,
            "INTERNAL": 0,
        }
        assert metric(service, "request_seconds_count", path="/v1/analyze") == 5
        assert metric(service, "verdicts_total", verdict="reject") == 2
        assert metric(service, "verdicts_total", verdict="accept") == 1
        assert metric(service, "defects_total", defect_class="crack") == 2
        assert metric(service, "defects_total", defect_class="blowhole") == 1
        assert metric(service, "model_output_invalid_total") == 1
        for stage in ("read", "decode", "queue", "infer", "encode"):
            assert metric(service, "stage_seconds_count", stage=stage) == 3, stage
        assert metric(service, "picture_brightness_count") == 4
        assert metric(service, "in_flight") == metric(service, "queue_depth") == 0


@in_loop
async def test_brightness_and_contrast_are_those_of_the_picture():
    async with running() as service:
        await post(service, png("##"))  # red alone: a third of 255, deviation √2 / 3
        assert metric(service, "picture_brightness_sum") == pytest.approx(1 / 3)
        assert metric(service, "picture_contrast_sum") == pytest.approx(2**0.5 / 3)


@in_loop
async def test_what_is_known_at_the_start_is_shown_at_once():
    async with running(slots=7, workers=2) as service:
        facts = service.models.current
        known = series(service)
        info = {"name": "drawn", "version": "0.1.0", "precision": "fp32", "sha256": facts.sha256}
        assert ("defectseg_model_info", tuple(sorted(info.items()))) in known
        assert metric(service, "queue_limit") == 7
        assert metric(service, "workers") == 2
        assert metric(service, "phase", phase="ready") == 1
        for verdict in ("accept", "review", "reject"):
            assert ("defectseg_verdicts_total", (("verdict", verdict),)) in known
        for name in ("crack", "blowhole"):
            assert ("defectseg_defects_total", (("defect_class", name),)) in known
        for worker in ("0", "1"):
            assert metric(service, "worker_heartbeat_age_seconds", worker=worker) >= 0


@in_loop
async def test_strange_paths_methods_and_queries_make_no_new_series():
    async with running() as service:
        await get(service, "/nothing")
        await Call("/v1/analyze", "BREW").push(b"").run(service)
        await get(service, "/page/none")
        await Call("/v1/analyze", query="mask=0").push(b"").run(service)
        known = series(service)
        for n in range(10):
            await get(service, f"/nothing/{n}")
            await get(service, f"/page/{n}")
            await get(service, f"/v1/analyze/{n}")
            await Call("/v1/analyze", f"BREW{n}").push(b"").run(service)
            await Call("/nothing", f"BREW{n}").push(b"").run(service)
            await Call("/v1/analyze", query=f"mask={n}").push(b"").run(service)
        assert series(service) == known
        assert metric(service, "requests_total", path="other", code="NOT_FOUND") == 31
        assert metric(service, "requests_total", path="/page/{name}", code="NOT_FOUND") == 11
        path = {"path": "/v1/analyze"}
        assert metric(service, "requests_total", **path, code="METHOD_NOT_ALLOWED") == 11
        assert metric(service, "requests_total", **path, code="BAD_PARAMETER") == 11


@in_loop
async def test_the_pictures_of_a_batch_are_counted_one_by_one():
    async with running() as service:
        body = form(("images", "a", png("#.")), ("images", "b", b"x"), ("images", "c", png("..")))
        call = await Call("/v1/analyze/batch").push(body).run(service)
        assert call.code == "OK"
        assert metric(service, "verdicts_total", verdict="reject") == 1
        assert metric(service, "verdicts_total", verdict="accept") == 1
        assert metric(service, "stage_seconds_count", stage="infer") == 2
        assert metric(service, "requests_total", path="/v1/analyze/batch", code="OK") == 1


@in_loop
async def test_prometheus_gets_the_kind_of_text_that_it_asks_for():
    async with running() as service:
        await Call().push(picture_form(png())).run(service)
        plain = await get(service, "/metrics")
        assert plain.reply_headers["content-type"] == TEXT
        assert b"\ndefectseg_in_flight 0.0\n" in plain.body
        assert b"_created" not in plain.body
        openly = await get(service, "/metrics", accept="application/openmetrics-text;version=1.0.0")
        assert openly.reply_headers["content-type"] == OPENMETRICS
        assert openly.body.endswith(b"# EOF\n")
