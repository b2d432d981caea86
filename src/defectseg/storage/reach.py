"""A project in, its storage reached as DVC reaches it out; or one sentence on why it cannot be.

DVC's own message names an HTTP code at best. Here the same client sends one request, and what comes
back is told apart: no credentials, wrong ones, no bucket, nobody there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from defectseg.errors import StorageError
from defectseg.storage.remote import Remote, read_remote

ADVICE = "docs/operations.md, Credentials"


def reach_storage(root: Path) -> Remote:
    """Send the storage of a project one request, with the credentials that DVC would use.

    Raises:
        StorageError: It cannot be reached or refuses; says why and what to do.
    """
    remote = read_remote(root)
    with open_objects(root) as objects:
        objects.fs.fs.call_s3("list_objects_v2", Bucket=remote.bucket, MaxKeys=1)
    return remote


@contextmanager
def open_objects(root: Path) -> Iterator[Any]:
    """DVC's own view of the objects of the storage (a HashFileDB of dvc-data).

    Raises:
        StorageError: What is inside could not reach the storage.
    """
    from dvc.repo import Repo  # type: ignore[import-untyped]

    remote = read_remote(root)
    place = f"{remote.url} at {remote.endpoint}" if remote.endpoint else remote.url
    with explain_refusal(place), Repo(str(root)) as repo:
        yield repo.cloud.get_remote_odb(remote.name)


@contextmanager
def explain_refusal(place: str) -> Iterator[None]:
    """Turn what S3's client raises into a StorageError that says why and what to do."""
    from botocore.exceptions import (  # type: ignore[import-untyped]
        BotoCoreError,
        ConnectTimeoutError,
        EndpointConnectionError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
        raise StorageError(
            f"no credentials for {place}: {_end(error)}; `make storage` for a storage on this "
            f"machine, or give them by environment or profile: {ADVICE}"
        ) from error
    except PermissionError as error:
        raise StorageError(
            f"{place} refuses the credentials: {_end(error)}; `make storage` writes those of a "
            f"storage on this machine anew, others come from whoever runs it: {ADVICE}"
        ) from error
    except FileNotFoundError as error:
        raise StorageError(
            f"{place}: {_end(error)}; look at the url in .dvc/config; `make storage` makes the "
            "bucket of a storage on this machine, a provider's has to be made there"
        ) from error
    except (ConnectTimeoutError, EndpointConnectionError, HTTPClientError) as error:
        raise StorageError(
            f"nothing answers at {place}: {_end(error)}; `make storage` starts a storage on this "
            "machine, else look at the network"
        ) from error
    except (BotoCoreError, OSError) as error:
        raise StorageError(f"{place} does not answer as it should: {_end(error)}") from error


def _end(error: Exception) -> str:
    return str(error).rstrip(".")
