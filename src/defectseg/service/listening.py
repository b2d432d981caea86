"""A host and a port in, a socket that has them out; it takes no connection before it is told to."""

import resource
import socket

from defectseg.errors import DefectsegError

FILES_BESIDE = 256  # open files that are no connections


class AddressError(DefectsegError):
    """Nobody can listen at this address."""


def bind(host: str, port: int) -> socket.socket:
    """Take an address.

    Args:
        port: 0 = any free one.

    Raises:
        AddressError: It is taken, not ours, or no address.
    """
    listener: socket.socket | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.setblocking(False)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise AddressError(
            f"cannot listen at {host!r} port {port}: {error.strerror}; "
            "stop what listens there, or set --host and --port (0 = any free port)"
        ) from error
    return listener


def allow_open_files(connections: int) -> None:
    """Raise the limit of open files as far as the connections need and the system lets us."""
    wanted = connections + FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
