"""A version and a stage in, a tag that puts one into the other out, if it may be there.

It may if its gates passed, if a run from a clean clone gave it again, and if it is not worse by a
gated metric than what the stage has. A roll back asks for none of it: that version was there.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from defectseg.comparison.compare import compare_revisions
from defectseg.errors import ComparisonError, RegistryError, RevisionError
from defectseg.export.gates import Evaluation
from defectseg.registry.model_file import fetch_checked
from defectseg.registry.registry import (
    Placed,
    Registry,
    check_stage,
    read_registry,
)
from defectseg.registry.tags import ARTIFACT, write_tag
from defectseg.revisions.revision import Revision, open_revision
from defectseg.verification.record import VerifyRecord, read_record

GATES = "metrics/gates.json"
EVALUATION = "metrics/evaluate.json"


@dataclass(frozen=True)
class Promoted:
    """What a promotion did."""

    tags: tuple[str, ...]
    version: str
    before: str | None  # the version that was in the stage
    findings: tuple[str, ...]  # what spoke for it


def promote(
    stage: str,
    version: str | None = None,
    reason: str = "",
    unverified: str = "",
    root: Path = Path(),
) -> Promoted:
    """Put a version into a stage.

    Args:
        version: None = the one registered last.
        reason: Why, for the message of the tag.
        unverified: Why it may be there although nobody verified it; it stands in the message.

    Raises:
        RegistryError: It may not be there; says why and what to do.
        RevisionError: A file of it cannot be had.
    """
    check_stage(stage)
    registry = read_registry(root)
    chosen = choose_version(registry, version)
    before = registry.current(stage)
    if before and before.version == chosen.version:
        raise RegistryError(f"{chosen.version} is in {stage} already, by {before.event.tag}")
    revision = open_version(chosen, root)
    findings = [
        f"Gates: {check_gates_of(revision)}",
        f"Verified: {check_verified(revision, unverified)}",
        f"Compared: {check_not_worse(revision, before, root)}",
    ]
    with tempfile.TemporaryDirectory(prefix="defectseg-") as work:
        findings.append(f"Model-sha: {fetch_checked(revision, Path(work)).sha256}")
    subject = f"Promote {ARTIFACT} {chosen.version} to {stage}"
    tag = place(registry, stage, chosen, subject, reason, findings, root)
    was = before.version if before else None
    return Promoted((tag,), chosen.version, was, tuple(findings))


def roll_back(stage: str, reason: str = "", root: Path = Path()) -> Promoted:
    """Put the version into a stage that was there before; the history stays.

    Raises:
        RegistryError: There was none, or its model cannot be had.
    """
    check_stage(stage)
    registry = read_registry(root)
    pile = registry.placed(stage)
    if len(pile) < 2:
        has = f"only {pile[0].version} was ever there" if pile else "nothing is there"
        raise RegistryError(f"{stage} cannot be rolled back: {has}")
    gone, back = pile[-1], pile[-2]
    revision = open_version(back, root)
    with tempfile.TemporaryDirectory(prefix="defectseg-") as work:
        sha256 = fetch_checked(revision, Path(work)).sha256
    subject = f"Roll {ARTIFACT} in {stage} back from {gone.version} to {back.version}"
    findings = [f"Rolls-back: {gone.event.tag}", f"Model-sha: {sha256}"]
    # GTO takes the highest version for the one in a stage: the one that goes has to be taken out.
    out = place(registry, stage, gone, subject, reason, findings, root, is_out=True)
    tag = place(read_registry(root), stage, back, subject, reason, findings, root)
    return Promoted((out, tag), back.version, gone.version, tuple(findings))


def place(
    registry: Registry,
    stage: str,
    chosen: Placed,
    subject: str,
    reason: str,
    findings: list[str],
    root: Path,
    is_out: bool = False,
) -> str:
    """Make the tag that puts a version into a stage, or takes it out.

    A reason is kept in one line, so that it can be taken for no finding.
    """
    tag = f"{ARTIFACT}#{stage}{'!' if is_out else ''}#{registry.next_number()}"
    said = [f"Reason: {' '.join(reason.split())}"] if reason.strip() else []
    message = "\n".join([subject, "", *said, *findings])
    write_tag(tag, chosen.event.commit, message, root)
    return tag


def choose_version(registry: Registry, version: str | None) -> Placed:
    """Raises: RegistryError: There is no such version, or none at all."""
    if version is not None:
        return registry.find(version)
    if not registry.versions:
        raise RegistryError(
            f"no version of {ARTIFACT} is registered; `make register VERSION=v1.0.0`"
        )
    latest = list(registry.versions)[-1]
    return Placed(latest, registry.versions[latest])


def open_version(placed: Placed, root: Path) -> Revision:
    """The files of a version's commit."""
    commit = open_revision(placed.event.commit, root).commit
    return Revision(placed.version, commit, root)


def check_gates_of(revision: Revision) -> str:
    """Such as `3 of 3 passed`.

    Raises:
        RegistryError: One failed, or nobody knows.
    """
    gates = read_gates(revision)
    failed = [gate.describe() for gate in gates.gates if not gate.passed]
    if failed:
        raise RegistryError(
            f"{revision.name} may not be promoted: {len(failed)} of {len(gates.gates)} gates "
            f"failed: {'; '.join(failed)}. Train a better model, or change evaluate.gates in "
            "params.yaml if they ask too much, and register what comes of it"
        )
    return f"{len(gates.gates)} of {len(gates.gates)} passed"


def read_gates(revision: Revision) -> Evaluation:
    """metrics/gates.json, or where a commit is older than that file, metrics/evaluate.json.

    Raises:
        RegistryError: Neither says.
    """
    with tempfile.TemporaryDirectory(prefix="defectseg-") as work:
        try:
            place = revision.fetch(GATES, Path(work))
            content = place.read_bytes() if place else revision.read(EVALUATION)
        except RevisionError as error:
            raise RegistryError(str(error)) from error
    try:
        return Evaluation.model_validate_json(content or b"")
    except ValidationError as error:
        raise RegistryError(
            f"{revision.name} does not say whether its gates passed: {GATES} is missing or "
            "damaged; `dvc repro evaluate` writes it, then commit and register that"
        ) from error


def check_verified(revision: Revision, unverified: str) -> str:
    """Such as `bit-equal on 2026-01-31`, or why it may be there all the same.

    Raises:
        RegistryError: Nobody verified it, or it came out different, and there is no reason.
    """
    record = read_record(str(revision.commit), revision.root)
    found = describe_record(record)
    if record is not None and record.is_good:
        return found
    excuse = " ".join(unverified.split())
    if excuse:
        return f"no, {found}; promoted all the same: {excuse}"
    advice = (
        f"`make verify REV={ARTIFACT}@{revision.name}` runs it again from a clean clone"
        if record is None
        else "find out why before it ships"
    )
    raise RegistryError(
        f"{revision.name} may not be promoted, verify says: {found}; {advice}. Where that cannot "
        "be, UNVERIFIED='why' lets it through, and the reason stands in the tag"
    )


def describe_record(record: VerifyRecord | None) -> str:
    """Such as `bit-equal on 2026-01-31`."""
    if record is None:
        return "never verified"
    first = f", first in the stage {record.first_different}" if record.first_different else ""
    return f"{record.outcome} on {record.when:%Y-%m-%d}{first}"


def check_not_worse(revision: Revision, before: Placed | None, root: Path) -> str:
    """What a comparison with the version in the stage says, in one line.

    Raises:
        RegistryError: It is worse by a gated metric, or the two cannot be compared.
    """
    if before is None:
        return "with nothing, the stage is empty"
    base = open_version(before, root)
    try:
        found = compare_revisions(base, revision)
    except ComparisonError as error:
        raise RegistryError(
            f"{revision.name} cannot be compared with {base.name}, which is there: {error}. "
            "Judge both on one test part: run the pipeline of the older commit with the newer "
            "data, register what comes of it and promote that first"
        ) from error
    if found.worse_gates:
        raise RegistryError(
            f"{revision.name} may not be promoted: it is worse than {base.name}, which is there, "
            f"by {', '.join(found.worse_gates)}: {found.summary()}. "
            f"`make compare BASE={ARTIFACT}@{base.name}` shows how"
        )
    if not found.has_baseline:
        return f"with {base.name}, which has no metrics"
    return f"with {base.name}: {' '.join(found.summary().split())}"
