"""A request with pictures in, what the model says about them out: the work behind the routes."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from defectseg.service.codes import Failure, to_envelope
from defectseg.service.service import Service
from defectseg.service.task import Order, Outcome, Reply, Task, Wish
from defectseg.service.times import Times
from defectseg.service.upload import Part, Upload, field_of, files_of
from defectseg.service.visit import ClientGoneError, Visit


@dataclass
class Picture:
    """One picture of a request."""

    image_id: str
    content: bytes

    def take_content(self) -> bytes:
        """Its bytes, which are no longer held here: they go once they are decoded."""
        content, self.content = self.content, b""
        return content


async def analyze_form(service: Service, request: Request, wish: Wish) -> bytes:
    """The form of POST /v1/analyze → JSON.

    Raises:
        Failure: The form or its picture cannot be used, or took too long.
        ClientGoneError: Nobody waits any more.
    """
    visit: Visit = request.scope["state"]["visit"]
    parts = await read_form(request, visit, max_files=1)
    part = files_of(parts, "image")[0]
    image_id = field_of(parts, "image_id") or part.label or visit.request_id
    picture = Picture(image_id, part.take_content())
    [outcome] = await analyze(service, request, [picture], wish)
    visit.facts["image_id"] = image_id
    if isinstance(outcome, Failure):
        raise Failure(outcome.code, outcome.message)
    visit.facts |= {
        "verdict": outcome.verdict,
        "size": list(outcome.size),
        "stage_ms": outcome.times.milliseconds(1),
    }
    return outcome.content


async def analyze_forms(service: Service, request: Request, wish: Wish) -> bytes:
    """The form of POST /v1/analyze/batch → JSON; a picture that fails does not fail the rest.

    Raises:
        Failure: The form cannot be used.
        ClientGoneError: Nobody waits any more.
    """
    visit: Visit = request.scope["state"]["visit"]
    parts = await read_form(request, visit, max_files=service.settings.max_pictures)
    pictures = [
        Picture(part.label or f"{visit.request_id}-{number}", part.take_content())
        for number, part in enumerate(files_of(parts, "images"))
    ]
    outcomes = await analyze(service, request, pictures, wish)
    visit.facts["pictures"] = len(pictures)
    visit.facts["failed"] = sum(isinstance(outcome, Failure) for outcome in outcomes)
    items = [
        to_item(picture.image_id, outcome, visit.request_id)
        for picture, outcome in zip(pictures, outcomes, strict=True)
    ]
    head = json.dumps({"request_id": visit.request_id})[:-1].encode()
    return b'%b, "results": [%b]}' % (head, b",".join(items))


async def read_form(request: Request, visit: Visit, max_files: int) -> list[Part]:
    """Read the body.

    Raises:
        Failure: It cannot be used.
        ClientGoneError: The client went before its end.
    """
    upload = Upload(request.headers.get("content-type", ""), max_files)
    try:
        return await upload.read(request.stream())
    except ClientDisconnect as error:
        raise ClientGoneError from error


def to_item(image_id: str, outcome: Outcome, request_id: str) -> bytes:
    """One picture of a batch as JSON."""
    name = json.dumps(image_id).encode()
    if isinstance(outcome, Reply):
        return b'{"image_id": %b, "result": %b}' % (name, outcome.content)
    error = json.dumps(to_envelope(outcome, request_id)["error"]).encode()
    return b'{"image_id": %b, "error": %b}' % (name, error)


async def analyze(
    service: Service, request: Request, pictures: Sequence[Picture], wish: Wish
) -> list[Outcome]:
    """Send pictures through the pipeline; each ends in time, with a reply or a failure.

    Raises:
        ClientGoneError: The client closed the connection: what has not run yet never will.
    """
    visit: Visit = request.scope["state"]["visit"]
    read_at = visit.body_read_at or time.monotonic()
    deadline = read_at + service.settings.deadline_s
    model = service.models.current
    tasks: list[Task] = []
    futures: list[asyncio.Future[Outcome]] = []
    for picture in pictures:
        if visit.slot is not None:
            visit.slot.hold()
        order = Order(
            content=picture.take_content(),
            image_id=picture.image_id,
            request_id=visit.request_id,
            wish=wish,
            model=model,
            deadline=deadline,
            times=Times(visit.started, read_at),
        )
        on_end = visit.slot.drop if visit.slot is not None else nothing
        task, future = service.pipeline.submit(order, on_end)
        tasks.append(task)
        futures.append(future)
    try:  # none of this waits: no task is left alone before it
        outcomes = await wait(request, futures, tasks, deadline)
        visit.times += [found.times for found in outcomes if isinstance(found, Reply)]
        for failure in [found for found in outcomes if isinstance(found, Failure)]:
            service.metrics.picture_failures_total.labels(failure.code).inc()
        return outcomes
    finally:
        for task in tasks:
            task.finish(Failure("INTERNAL"))  # nothing where it is finished already


async def wait(
    request: Request,
    futures: Sequence["asyncio.Future[Outcome]"],
    tasks: Sequence[Task],
    deadline: float,
) -> list[Outcome]:
    """Wait for all outcomes, or the deadline, or the client's leaving, whatever is first."""
    outcomes = asyncio.gather(*futures)
    gone = asyncio.ensure_future(request.receive())  # after the body only a disconnect comes
    either: set[asyncio.Future[Any]] = {outcomes, gone}
    try:
        left = max(deadline - time.monotonic(), 0)
        await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if not outcomes.done():
            if gone.done():
                raise ClientGoneError
            for task in tasks:
                task.finish(Failure("DEADLINE_EXCEEDED"))
        return list(await outcomes)
    finally:
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone


def nothing() -> None:
    """Nobody holds a slot."""
