"""A commit in, what `defectseg verify` found of it out: a note in git that can be pushed.

The note at refs/notes/defectseg-verify has one line of JSON a run, the time first: so git can merge
the notes of two machines line by line (`git notes merge -s cat_sort_uniq`). Who may push notes may
write records: they are as trustworthy as the tags beside them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from defectseg.errors import RevisionError
from defectseg.revisions.process import ask

NOTES = "defectseg-verify"  # refs/notes/defectseg-verify
MOST = 20  # runs kept of one commit
Outcome = Literal["bit-equal", "within", "different"]


class VerifyRecord(BaseModel):
    """What one run of `defectseg verify` found."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    when: AwareDatetime  # at its end
    outcome: Outcome
    commit: str  # the whole name
    epsilon: Annotated[float, Field(ge=0)]  # by which a number in a JSON file may differ
    first_different: str | None = None  # the first stage that is not bit-equal
    seconds: Annotated[float, Field(ge=0)]  # that the pipeline took
    hardware: Mapping[str, Any] = {}  # of the machine that verified
    packages: str = ""  # sha256 of the versions that were installed
    has_same_packages: bool = True  # they are those of the commit's requirements.txt

    @property
    def is_good(self) -> bool:
        """The same bytes, or the same numbers within epsilon."""
        return self.outcome != "different"


def read_record(commit: str, root: Path = Path()) -> VerifyRecord | None:
    """The last record of a commit; None where it was never verified.

    Args:
        commit: Any name that git knows.

    Raises:
        RevisionError: There is no such commit, or its note is damaged.
    """
    records = read_records(commit, root)
    return max(records, key=lambda record: record.when) if records else None


def read_records(commit: str, root: Path = Path()) -> list[VerifyRecord]:
    """Every record of a commit; see `read_record`."""
    name = resolve(commit, root)
    found = ask("git", "notes", f"--ref={NOTES}", "list", folder=root)
    if not any(line.split()[-1] == name for line in found.splitlines() if line):
        return []
    text = ask("git", "notes", f"--ref={NOTES}", "show", name, folder=root)
    try:
        records = [VerifyRecord.model_validate_json(line) for line in text.splitlines() if line]
    except ValidationError as error:
        raise RevisionError(
            f"the note of verify on {name} is damaged: {error.error_count()} faults; take it off "
            f"by `git notes --ref={NOTES} remove {name}` and verify again"
        ) from error
    if any(record.commit != name for record in records):
        raise RevisionError(
            f"the note of verify on {name} is one of another commit; take it off by "
            f"`git notes --ref={NOTES} remove {name}` and verify again"
        )
    return records


def write_record(record: VerifyRecord, root: Path = Path()) -> None:
    """Add a record to the note of its commit; the oldest go when there are many.

    Raises:
        RevisionError: git cannot write it, such as when it knows no user.name.
    """
    lines = sorted(one.model_dump_json() for one in [*read_records(record.commit, root), record])
    text = "\n".join(lines[-MOST:])
    asked = ("git", "notes", f"--ref={NOTES}", "add", "--force", "--message", text)
    ask(*asked, resolve(record.commit, root), folder=root)


def resolve(commit: str, root: Path) -> str:
    """The whole name of a commit."""
    asked = ("git", "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    return ask(*asked, folder=root).strip()
