"""A request that takes one of the service's slots and keeps it: half a body that never goes on."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from live_service import LiveService

HALF = (
    b"POST /v1/analyze HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
)


@contextmanager
def held_slot(service: LiveService) -> Iterator[None]:
    """Hold a slot; it is free again afterwards."""
    before = service.metric("defectseg_in_flight")
    with socket.create_connection((service.host, service.port)) as client:
        client.sendall(HALF)
        service.wait_for(lambda: service.metric("defectseg_in_flight") == before + 1)
        yield
    service.wait_for(lambda: service.metric("defectseg_in_flight") == before)


def count_refused(service: LiveService) -> float:
    """Requests for which there was no slot."""
    return service.metric("defectseg_shed_total", reason="QUEUE_FULL")
