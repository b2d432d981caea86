"""Git's tags in, what they say of the model in GTO's language out; and a new tag.

`unet@v1.2.0` gives a commit a version, `unet@v1.2.0!` takes it away; `unet#prod#3` is the third
word on stages: that commit is in prod now; `unet#prod!#4` takes it out. Whoever has GTO writes and
reads the same tags: https://github.com/iterative/gto. The message of a tag says why.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from defectseg.errors import RegistryError, RevisionError
from defectseg.revisions.process import ask, ask_bytes

ARTIFACT = "unet"  # its name in dvc.yaml: artifacts
VERSION = re.compile(
    r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)
STAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?")
FORMAT = "%00".join(
    (
        "%(refname:strip=2)",
        "%(*objectname)",
        "%(taggername)",
        "%(taggeremail:trim)",
        "%(taggerdate:unix)",
        "%(contents)%00%00",
    )
)
TRAILER = re.compile(r"^([A-Z][a-z]+(?:-[a-z]+)*): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Event:
    """What one tag says."""

    tag: str
    action: str  # register, deregister, assign, unassign, deprecate
    version: str | None  # of register and deregister
    stage: str | None  # of assign and unassign
    number: int  # GTO counts its tags; 0 = it did not
    commit: str
    by: str  # name and address of who made it
    at: datetime
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]

    @property
    def trailers(self) -> Mapping[str, str]:
        """Such as Verified: bit-equal; empty for a tag that GTO itself made."""
        return dict(TRAILER.findall(self.message))


def read_events(root: Path = Path()) -> tuple[Event, ...]:
    """Every tag about our model, the first one first, as GTO orders them: by time.

    Raises:
        RevisionError: This is no git repository.
    """
    text = ask_bytes("git", "for-each-ref", f"--format={FORMAT}", "refs/tags", folder=root)
    records = text.decode("utf-8", "replace").split("\0\0\n")
    events = (to_event(record) for record in records if record)
    return tuple(sorted(filter(None, events), key=lambda event: (event.at, event.number)))


def to_event(record: str) -> Event | None:
    """What a tag says; None for one of other things, or one without author and time."""
    from gto.tag import parse_name  # takes a second

    parts = record.split("\0", 5)
    if len(parts) != FORMAT.count("%00") - 1:
        return None
    tag, commit, name, email, seconds, message = parts
    said = parse_name(tag, raise_on_fail=False) if seconds else None
    if not said or said.get("name") != ARTIFACT or "action" not in said:
        return None
    return Event(
        tag=tag,
        action=said["action"].value,
        version=said.get("version"),
        stage=said.get("stage"),
        number=said.get("counter", 0),
        commit=commit,
        by=f"{name} <{email}>",
        at=datetime.fromtimestamp(int(seconds), UTC),
        message=message.strip(),
    )


def write_tag(tag: str, commit: str, message: str, root: Path = Path()) -> None:
    """Make an annotated tag, as git does it: with your name, signed where you sign.

    Raises:
        RegistryError: It is there already, or git knows no name for you.
    """
    try:
        asked = ("git", "tag", "--annotate", "--cleanup=verbatim", "--file=-", tag, commit)
        ask_bytes(*asked, folder=root, given=f"{message}\n".encode())
    except RevisionError as error:
        raise RegistryError(
            f"the tag {tag} cannot be made: {error}; is it there already (`git tag --list`), "
            "does git know your user.name and user.email?"
        ) from error


def push_tags(tags: Sequence[str], root: Path = Path(), remote: str = "origin") -> None:
    """Raises: RegistryError: The remote does not take them; they stay here."""
    named = " ".join(f"'{tag}'" for tag in tags)
    try:
        refs = [f"refs/tags/{tag}" for tag in tags]
        ask("git", "push", "--quiet", remote, *refs, folder=root)
    except RevisionError as error:
        raise RegistryError(
            f"{named} is made, but only here: {error}; push it by `git push {remote} {named}`, or "
            f"take it back by `git tag --delete {named}`"
        ) from error
