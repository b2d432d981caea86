"""A port of this machine, keys and an S3 request in, the status of the answer out.

Signed here, not by an S3 client: a client would take profile, proxy and region from the
environment, and what is asked here must reach our server and nothing else.
"""

from http.client import HTTPConnection, HTTPException

from defectseg.storage.keys import Keys, make_keys

HOST = "127.0.0.1"
TIMEOUT = 10.0  # seconds for an answer
REGION = "us-east-1"
OK, FORBIDDEN = 200, 403


def endpoint_of(port: int) -> str:
    """The address of a storage of this machine."""
    return f"http://{HOST}:{port}"


def ask_s3(port: int, keys: Keys, method: str, path: str) -> int | None:
    """Send one signed request without a body; None where nothing answers as HTTP."""
    # botocore comes with DVC; it takes a while to import.
    from botocore.auth import S3SigV4Auth  # type: ignore[import-untyped]
    from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
    from botocore.credentials import Credentials  # type: ignore[import-untyped]

    request = AWSRequest(method=method, url=f"{endpoint_of(port)}{path}")
    signer = S3SigV4Auth(Credentials(keys.access_key_id, keys.secret_access_key), "s3", REGION)
    signer.add_auth(request)
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request(method, path, headers=dict(request.headers.items()))
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def is_healthy(port: int, keys: Keys) -> bool:
    """Whether a server takes our keys and refuses others: it is ours, and it is closed."""
    return (
        ask_s3(port, keys, "GET", "/") == OK
        and ask_s3(port, Keys(keys.access_key_id, "wrong"), "GET", "/") == FORBIDDEN
        and ask_s3(port, make_keys(), "GET", "/") == FORBIDDEN
    )


def make_bucket(port: int, keys: Keys, bucket: str) -> bool:
    """Make a bucket unless it is there; whether it is there now.

    The last look is for whoever makes it at the same time: of two, the server refuses one.
    """
    return any(ask_s3(port, keys, method, f"/{bucket}") == OK for method in ("HEAD", "PUT", "HEAD"))
