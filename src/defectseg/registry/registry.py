"""The tags about the model in, its versions and what is in each stage out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from defectseg.errors import RegistryError
from defectseg.registry.tags import ARTIFACT, STAGE, VERSION, Event, read_events


@dataclass(frozen=True)
class Placed:
    """A version in a stage, and the tag that put it there."""

    version: str
    event: Event


@dataclass(frozen=True)
class Registry:
    """All that the tags say."""

    versions: Mapping[str, Event]  # in force, the first registered first
    events: Sequence[Event]  # every one, the first first

    def version_of(self, commit: str) -> str | None:
        """The version of a commit."""
        found = (name for name, event in self.versions.items() if event.commit == commit)
        return next(found, None)

    def stages(self) -> tuple[str, ...]:
        """Every stage that was ever used."""
        return tuple(dict.fromkeys(event.stage for event in self.events if event.stage))

    def history(self, stage: str) -> tuple[Event, ...]:
        """Every tag about a stage, the first first."""
        return tuple(event for event in self.events if event.stage == stage)

    def placed(self, stage: str) -> tuple[Placed, ...]:
        """What is in a stage last, and before it what a roll back would return to.

        A roll back takes the last one out of the stage, so two of them go back two steps.
        """
        pile: list[Placed] = []
        for event in self.history(stage):
            version = self.version_of(event.commit)
            if event.action == "unassign":
                pile = [one for one in pile if one.event.commit != event.commit]
            elif version is not None:
                pile = [one for one in pile if one.version != version]
                pile.append(Placed(version, event))
        return tuple(pile)

    def current(self, stage: str) -> Placed | None:
        """What is in a stage now."""
        pile = self.placed(stage)
        return pile[-1] if pile else None

    def find(self, name: str) -> Placed:
        """The version of that name, or the one that is in the stage of that name.

        Raises:
            RegistryError: There is neither.
        """
        if name in self.versions:
            return Placed(name, self.versions[name])
        placed = self.current(name)
        if placed is None:
            versions = ", ".join(self.versions) or "none"
            stages = ", ".join(one for one in self.stages() if self.current(one)) or "none"
            raise RegistryError(
                f"{name!r} is no version of {ARTIFACT} and no stage that has one; versions: "
                f"{versions}; stages: {stages}. Where others have it: `git fetch --tags`"
            )
        return placed

    def next_number(self) -> int:
        """The number of the next tag about a stage, as GTO counts."""
        return 1 + max((event.number for event in self.events), default=0)


def read_registry(root: Path = Path()) -> Registry:
    """Read all tags.

    Raises:
        RevisionError: This is no git repository.
    """
    return build_registry(read_events(root))


def build_registry(events: Sequence[Event]) -> Registry:
    """What is in force after all these tags."""
    versions: dict[str, Event] = {}
    for event in events:
        if event.action == "register" and event.version:
            versions[event.version] = event
        elif event.action == "deregister" and event.version:
            versions.pop(event.version, None)
    return Registry(versions, tuple(events))


def check_version(version: str) -> None:
    """Raises: RegistryError: It is no semantic version with a v."""
    if not VERSION.fullmatch(version):
        raise RegistryError(
            f"{version!r} is no version; expected v<major>.<minor>.<patch>, such as v1.0.0: patch "
            "for another run of the same, minor for a better model, major for other classes"
        )


def check_stage(stage: str) -> None:
    """Raises: RegistryError: It can be no stage."""
    if not STAGE.fullmatch(stage) or VERSION.fullmatch(stage):
        raise RegistryError(
            f"{stage!r} is no stage; use letters, digits, _ and -, such as prod or staging"
        )
