"""A commit in, whether its pipeline gives the same outs again out: from a clean clone, uncached."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from defectseg.errors import PackagesError, RevisionError
from defectseg.machine import describe_hardware
from defectseg.packages import find_differences, read_packages
from defectseg.revisions.lock import LOCK, Lock, parse_lock
from defectseg.revisions.process import ask
from defectseg.revisions.revision import Revision
from defectseg.verification.clean_clone import CleanClone, clone_commit, run_pipeline
from defectseg.verification.outs import RANK, ComparedStage, Sides, compare_locks
from defectseg.verification.record import Outcome, VerifyRecord
from defectseg.verification.run_facts import read_facts
from defectseg.verification.settings import read_yaml

PIPELINE = "dvc.yaml"
REQUIREMENTS = "requirements.txt"
EXTRA = "pipeline"  # of pyproject.toml: what the stages need
REMOTE = ("http://", "https://", "s3://")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Verification:
    """What came of one run."""

    record: VerifyRecord
    stages: tuple[ComparedStage, ...]
    facts: Mapping[str, tuple[Any, Any]]  # of the machine: at the commit's training, here


def verify_revision(revision: Revision, folder: Path, epsilon: float, say: Say) -> Verification:
    """Run the pipeline of a commit in an empty folder and compare with its lock.

    Args:
        folder: Where the clone and its cache go.
        epsilon: By how much a number in a JSON file may differ.

    Raises:
        RevisionError: There is nothing to compare with, or it cannot be run.
    """
    if revision.commit is None:
        raise RevisionError("the workspace cannot be verified: commit it, then verify the commit")
    warn_of_changes(revision, say)
    clone = clone_commit(revision.root, revision.commit, folder)
    names = check_lock(revision, clone)
    check_source(clone, say)
    packages, has_same = check_installed(clone, say)
    say(f"running {', '.join(names)} in {clone.folder}")
    started = time.monotonic()
    status = run_pipeline(clone)
    seconds = time.monotonic() - started
    ignored = frozenset[str]() if has_same else frozenset({REQUIREMENTS})
    stages = compare_outs(revision, clone, names, epsilon, ignored)
    outcome, first = judge_stages(stages, names, status)
    record = VerifyRecord(
        when=datetime.now(UTC),
        outcome=outcome,
        commit=revision.commit,
        epsilon=epsilon,
        first_different=first,
        seconds=round(seconds, 1),
        hardware=describe_hardware(),
        packages=packages,
        has_same_packages=has_same,
    )
    return Verification(record, tuple(stages), read_facts(revision, folder))


def judge_stages(
    stages: Sequence[ComparedStage], names: Sequence[str], status: int
) -> tuple[Outcome, str | None]:
    """The worst outcome, and the first stage that is not bit-equal.

    Raises:
        RevisionError: Some stage failed, and those before it do not differ.
    """
    outcome = max((stage.outcome for stage in stages), key=RANK.index, default=RANK[0])
    ran = {stage.name for stage in stages}
    missing = [name for name in names if name not in ran]
    if (missing or status) and outcome != "different":
        raise RevisionError(
            f"`dvc repro` ended with status {status}, without {', '.join(missing) or 'a failure'}; "
            "what it said stands above. What ran before is the same, but not all of it ran"
        )
    return outcome, next((stage.name for stage in stages if stage.outcome != "bit-equal"), None)


def warn_of_changes(revision: Revision, say: Say) -> None:
    """Say that what is not committed is not verified."""
    changed = ask("git", "status", "--porcelain", "-uno", folder=revision.root).splitlines()
    if changed:
        names = ", ".join(line[3:] for line in changed[:5]) + (", …" if changed[5:] else "")
        say(
            f"{revision.name} is verified as it was committed ({(revision.commit or '')[:9]}): "
            f"changes in the workspace are not in it ({names})"
        )


def check_lock(revision: Revision, clone: CleanClone) -> list[str]:
    """The stages of dvc.yaml, all of which the lock has.

    Raises:
        RevisionError: It lacks some: there is nothing to compare them with.
    """
    content = read_yaml(clone.folder / PIPELINE)
    names = list(content.get("stages") or {})
    lacking = [name for name in names if name not in revision.lock.stages]
    if not names or lacking:
        what = f"no stage {', '.join(lacking)}" if names else f"no {PIPELINE}"
        raise RevisionError(
            f"{LOCK} of {revision.name} has {what}: there is nothing to compare with. "
            f"`dvc repro` runs them; commit {LOCK} then"
        )
    return names


def check_source(clone: CleanClone, say: Say) -> None:
    """Say where the pictures come from.

    Raises:
        RevisionError: A clean clone cannot have them.
    """
    section = read_yaml(clone.folder / "params.yaml").get("data_load")
    source = section.get("source") if isinstance(section, dict) else None
    if not isinstance(source, str) or source == "synthetic":
        return
    if source.startswith(REMOTE):
        say(f"the pictures are read anew from {source}")
        return
    if (clone.folder / source).exists():
        say(f"the pictures are read from {source}")
        return
    what = (
        "is not there"
        if Path(source).is_absolute()
        else "is relative, and git does not have it: a clean clone is without it"
    )
    raise RevisionError(
        f"data_load.source is {source!r}, which {what}; nobody can verify this commit without its "
        "pictures: give an absolute path or an address that every machine reaches. `make "
        "reproduce` checks the hashes of what DVC has"
    )


def check_installed(clone: CleanClone, say: Say) -> tuple[str, bool]:
    """The digest of the installed packages, and whether they are those of requirements.txt."""
    try:
        packages = read_packages(clone.folder / "pyproject.toml", [EXTRA])
    except PackagesError as error:
        say(f"{error}")
        return "", False
    pins = "".join(f"{name}=={version}\n" for name, version in packages.items())
    differences = find_differences(packages, clone.folder / REQUIREMENTS)
    if differences:
        listed = "\n  ".join(differences[:20])
        say(
            f"the installed packages are not those of {REQUIREMENTS}:\n  {listed}\nThe answer is "
            "about other packages; for those of the commit, run this from an environment with them"
        )
    return hashlib.sha256(pins.encode()).hexdigest(), not differences


def compare_outs(
    revision: Revision,
    clone: CleanClone,
    names: Sequence[str],
    epsilon: float,
    ignored: frozenset[str],
) -> list[ComparedStage]:
    """Compare what ran in the clone with the lock of the commit."""
    kept = clone.folder.parent / "committed"

    def before(path: str) -> Path | None:
        """The committed file; read from git where git has it."""
        place = kept / path
        try:
            content = revision.read(path)
            if content is None:
                return revision.fetch(path, kept)
        except RevisionError:
            return None
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    def after(path: str) -> Path | None:
        place = clone.folder / path
        return place if place.exists() else None

    return compare_locks(
        revision.lock, read_lock(clone), names, Sides(before, after, epsilon, ignored)
    )


def read_lock(clone: CleanClone) -> Lock:
    """The lock that the run wrote; empty where no stage came to its end."""
    place = clone.folder / LOCK
    return parse_lock(place.read_text("utf-8") if place.is_file() else "", "the clone")
