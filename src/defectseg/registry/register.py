"""A commit and a version in, a tag that gives one to the other out, if the model is to be had."""

import tempfile
from pathlib import Path

from defectseg.errors import RegistryError
from defectseg.registry.model_file import fetch_checked, locked_model, refuse_unpushed
from defectseg.registry.registry import Registry, check_version, read_registry
from defectseg.registry.tags import ARTIFACT, write_tag
from defectseg.revisions.git_files import read_files
from defectseg.revisions.mismatch import find_mismatches
from defectseg.revisions.process import ask
from defectseg.revisions.revision import Revision, open_revision

HEAD = "HEAD"
SHOWN = 5  # mismatches named in one message


def register(version: str, rev: str = HEAD, reason: str = "", root: Path = Path()) -> str:
    """Give the model of a commit a version.

    Args:
        reason: Why, for the message of the tag.

    Returns:
        The tag.

    Raises:
        RegistryError: The commit may not be registered; says why.
        RevisionError: There is no such commit.
    """
    check_version(version)
    registry = read_registry(root)
    revision = open_revision(rev, root)
    commit = commit_of(revision)
    refuse_known(registry, version, commit)
    if commit == commit_of(open_revision(HEAD, root)):
        refuse_local_changes(root)
    locked_model(revision)
    refuse_mismatch(revision, commit)
    with tempfile.TemporaryDirectory(prefix="defectseg-") as work:
        found = fetch_checked(revision, Path(work))
    refuse_unpushed(revision)
    tag = f"{ARTIFACT}@{version}"
    lines = [
        f"Register {ARTIFACT} {version}",
        *(["", reason] if reason else []),
        "",
        f"Model-sha: {found.sha256}",
        f"Weights-sha: {found.facts.weights_sha256}",
        f"Data-digest: {found.facts.data_digest}",
    ]
    write_tag(tag, commit, "\n".join(lines), root)
    return tag


def commit_of(revision: Revision) -> str:
    """Raises: RegistryError: It is the workspace, which nobody could ask for again."""
    if revision.commit is None:
        raise RegistryError(f"{revision.name} is no commit; commit it, then give the commit")
    return revision.commit


def refuse_known(registry: Registry, version: str, commit: str) -> None:
    """Raises: RegistryError: The version was used before, or the commit has one."""
    named = (one for one in registry.events if one.version == version)
    used = next((one for one in named if one.action == "register"), None)
    if used is not None:
        raise RegistryError(
            f"{version} is taken: commit {used.commit[:12]} had it on {used.at:%Y-%m-%d}; a "
            "version never names another model: take the next one"
        )
    other = registry.version_of(commit)
    if other is not None:
        raise RegistryError(f"commit {commit[:12]} is {other} already; one commit has one version")


def refuse_local_changes(root: Path) -> None:
    """Raises: RegistryError: Files that git tracks are not as HEAD has them."""
    changed = ask("git", "status", "--porcelain", "--untracked-files=no", folder=root).splitlines()
    if changed:
        shown = ", ".join(line[3:] for line in changed[:SHOWN])
        raise RegistryError(
            f"{len(changed)} files differ from the commit that would be registered: {shown}"
            f"{', …' if changed[SHOWN:] else ''}; commit them, or name a commit by REV="
        )


def refuse_mismatch(revision: Revision, commit: str) -> None:
    """Raises: RegistryError: The commit's dvc.lock is of other params, code or files."""
    found = find_mismatches(lambda paths: read_files(paths, commit, revision.root))
    if found:
        shown = "\n".join(f"  {one.describe()}" for one in found[:SHOWN])
        more = f"\n  … and {len(found) - SHOWN} more" if found[SHOWN:] else ""
        raise RegistryError(
            f"the model of {revision.name} is not what that commit would make ({len(found)}):\n"
            f"{shown}{more}\nrun `dvc repro`, commit what it wrote, register that commit"
        )
