"""A commit, or what is staged, and paths in; the content of the files that git has there out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from defectseg.revisions.process import ask, ask_bytes

BLOBS = ("100644", "100755")  # plain files: neither links nor modules


def read_files(
    paths: Sequence[str], commit: str | None, root: Path = Path()
) -> Mapping[str, bytes]:
    """Read many files by two calls of git; those that it does not have are left out.

    Args:
        commit: None = what is staged.

    Raises:
        RevisionError: git cannot be asked.
    """
    wanted = set(paths)
    blobs = {path: blob for path, blob in _list_blobs(commit, root).items() if path in wanted}
    if not blobs:
        return {}
    asked = "".join(f"{blob}\n" for blob in blobs.values()).encode("ascii")
    answer = ask_bytes("git", "cat-file", "--batch", folder=root, given=asked)
    found, at = {}, 0
    for path in blobs:
        end = answer.index(b"\n", at)
        size = int(answer[at:end].split(b" ")[2])
        found[path] = answer[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
    return found


def _list_blobs(commit: str | None, root: Path) -> dict[str, str]:
    """Path → blob of every plain file."""
    if commit is None:
        lines = ask("git", "ls-files", "--stage", "-z", "--full-name", folder=root)
    else:
        lines = ask("git", "ls-tree", "-r", "-z", "--full-tree", commit, folder=root)
    found = {}
    for line in filter(None, lines.split("\0")):
        facts, path = line.split("\t", 1)
        mode, *rest = facts.split(" ")
        if mode in BLOBS:
            found[path] = rest[0] if commit is None else rest[1]
    return found
