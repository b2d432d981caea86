"""A version of the model in, all that is known of it out: where it is, how good, of what made."""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defectseg.errors import DefectsegError
from defectseg.registry.model_file import MODEL, fetch_checked, is_at_hand, locked_model
from defectseg.registry.promote import EVALUATION, describe_record, open_version, read_gates
from defectseg.registry.registry import Placed, Registry, read_registry
from defectseg.registry.tags import Event
from defectseg.revisions.revision import Revision
from defectseg.verification.record import read_record

RUN = "models/unet.run.json"
UNKNOWN = "not to be had here"


@dataclass(frozen=True)
class Described:
    """What is known of one version; what cannot be had is said in words."""

    version: str
    registered: Event
    stages: tuple[str, ...]  # that it is in now
    history: tuple[tuple[Event, str | None], ...]  # every tag about stages; with its version
    scores: Mapping[str, Any]  # metrics/evaluate.json
    gates: str
    verified: str
    model: Mapping[str, str]  # sha256, md5, weights_sha256, data_digest, or why they are unknown
    run: Mapping[str, Any]  # models/unet.run.json: what made it


def describe_model(name: str, root: Path = Path()) -> Described:
    """Tell of a version, or of what is in a stage.

    Raises:
        RegistryError: There is no such version or stage.
    """
    registry = read_registry(root)
    placed = registry.find(name)
    registered = registry.versions[placed.version]
    revision = open_version(Placed(placed.version, registered), root)
    return Described(
        version=placed.version,
        registered=registered,
        stages=stages_of(registry, placed.version),
        history=tuple(
            (event, registry.version_of(event.commit)) for event in registry.events if event.stage
        ),
        scores=read_scores(revision),
        gates=said(lambda: describe_gates(revision)),
        verified=said(lambda: describe_record(read_record(registered.commit, root))),
        model=describe_file(revision, registered),
        run=read_run(revision),
    )


def stages_of(registry: Registry, version: str) -> tuple[str, ...]:
    """The stages that a version is in now."""
    current = {stage: registry.current(stage) for stage in registry.stages()}
    return tuple(stage for stage, one in current.items() if one and one.version == version)


def read_scores(revision: Revision) -> Mapping[str, Any]:
    """metrics/evaluate.json of a commit; empty where it has none or a damaged one."""
    try:
        content = json.loads(revision.read(EVALUATION) or b"{}")
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def describe_gates(revision: Revision) -> str:
    """Such as `2 of 3 passed; iou_macro is 0.3, but must be at least 0.4`."""
    gates = read_gates(revision).gates
    failed = [gate.describe() for gate in gates if not gate.passed]
    passed = f"{len(gates) - len(failed)} of {len(gates)} passed"
    return "; ".join([passed, *failed])


def describe_file(revision: Revision, registered: Event) -> Mapping[str, str]:
    """The hashes of the model: from the file where it can be had, else from its tag."""
    try:
        locked = locked_model(revision)
        trailers = registered.trailers
        if not is_at_hand(revision, locked) and "Weights-sha" in trailers:
            return {
                "md5": locked.md5,
                "sha256": trailers.get("Model-sha", UNKNOWN),
                "weights_sha256": trailers["Weights-sha"],
                "data_digest": trailers.get("Data-digest", UNKNOWN),
            }
        with tempfile.TemporaryDirectory(prefix="defectseg-") as work:
            found = fetch_checked(revision, Path(work))
    except DefectsegError as error:
        return {"unknown": f"{MODEL} is {UNKNOWN}: {error}"}
    return {
        "md5": found.md5,
        "sha256": found.sha256,
        "weights_sha256": found.facts.weights_sha256,
        "data_digest": found.facts.data_digest,
    }


def read_run(revision: Revision) -> Mapping[str, Any]:
    """models/unet.run.json of a commit; empty where it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="defectseg-") as work:
        try:
            place = revision.fetch(RUN, Path(work))
            content = json.loads(place.read_bytes()) if place else {}
        except (DefectsegError, ValueError, RecursionError):
            return {}
    return content if isinstance(content, dict) else {}


def said(ask: Callable[[], str]) -> str:
    """What a function says; where it refuses, why it does."""
    try:
        return ask()
    except DefectsegError as error:
        return f"{UNKNOWN}: {error}"
