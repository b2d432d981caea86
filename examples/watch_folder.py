"""A folder that a camera fills in; its pictures, sorted by verdict into another folder, out.

    python watch_folder.py --from camera --to sorted --url http://127.0.0.1:8000

sorted/reject/part.png comes with sorted/reject/part.png.json, which says why; likewise accept/,
review/ and failed/ (no picture, or one that the service cannot judge). Needs client.py beside it.

A picture is moved once its verdict is written, in one step that never replaces another file: the
process may be killed at any moment. While the service is away pictures stay where they are.
"""

import argparse
import errno
import hashlib
import itertools
import json
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from client import Client, ServiceError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
# These say that the picture will never get a verdict,
UNUSABLE = {"IMAGE_TOO_LARGE", "IMAGE_DIMENSIONS", "MULTI_FRAME", "BIT_DEPTH", "PAYLOAD_TOO_LARGE"}
UNUSABLE |= {"MODEL_OUTPUT_INVALID", "HTTP_413"}
# and these that it is still being written, or that the service chokes on it.
DOUBTFUL = {"EMPTY_FILE", "UNSUPPORTED_IMAGE", "IMAGE_CORRUPT", "INFERENCE_FAILED", "INTERNAL"}
DOUBTFUL |= {"DEADLINE_EXCEEDED"}
OF_THE_DRIVE = {errno.ENOSPC, errno.EROFS, errno.EIO, errno.ESTALE, errno.EDQUOT}
PATIENCE = 5  # looks at a doubtful picture before it has failed
LONGEST_PAUSE_S = 30
NAME_BYTES = 240  # of a sorted picture; file systems allow 255, and .json comes after it
WITHOUT_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})

Stamp = tuple[int, int]  # bytes, time of the last change in ns


@dataclass(slots=True)
class Seen:
    """What is known of a file."""

    stamp: Stamp
    doubts: int = 0
    is_taken: bool = False  # at work


class Watcher:
    """Looks again and again; asks about several pictures at once."""

    def __init__(self, client: Client, source: Path, target: Path, at_once: int) -> None:
        self._client = client
        self._source, self._target = source, target
        self._at_once = at_once
        self._seen: dict[Path, Seen] = {}
        self._work: set[Future[None]] = set()
        self._stop = threading.Event()
        self._is_troubled = False  # the last round met a fault that was none of a picture's

    def run(self, every_s: float) -> None:
        """Look until told to stop; then what is at work ends."""
        pause = every_s
        with ThreadPoolExecutor(self._at_once) as pool:
            while not self._stop.is_set():
                pause = min(2 * pause, LONGEST_PAUSE_S) if self._is_troubled else every_s
                self._is_troubled = False
                for path in self._complete():
                    self._wait_for_work(self._at_once)
                    if self._stop.is_set() or self._is_troubled:
                        break
                    self._seen[path].is_taken = True
                    self._work.add(pool.submit(self._handle, path, self._seen[path]))
                self._stop.wait(pause)
            self._wait_for_work(1)

    def stop(self, number: int, frame: object) -> None:
        """A signal came; a second one ends the process at once."""
        signal.signal(number, signal.SIG_DFL)
        self._stop.set()
        self._client.give_up()

    def _wait_for_work(self, fewer_than: int) -> None:
        while len(self._work) >= fewer_than:
            done, self._work = wait(self._work, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()

    def _complete(self) -> list[Path]:
        """Pictures that did not change between the last two looks, oldest first."""
        found = dict(look(self._source, self._target))
        before, self._seen = self._seen, {}
        for path, stamp in found.items():
            known = before.get(path)
            self._seen[path] = known if known and known.stamp == stamp else Seen(stamp)
        complete = [path for path in found if path in before and before[path] is self._seen[path]]
        complete.sort(key=lambda path: (found[path][1], path))
        return [path for path in complete if not self._seen[path].is_taken]

    def _handle(self, path: Path, seen: Seen) -> None:
        """Ask about one picture and sort it, or leave it for a later look."""
        name = str(path.relative_to(self._source))
        try:
            content = path.read_bytes()
            verdict, told = self._ask(content, name, seen)
            if stamp_of(path) != seen.stamp:
                return  # written anew meanwhile: the next looks see to it
            sha256 = hashlib.sha256(content).hexdigest()
            facts = {"path": name, "bytes": len(content), "sha256": sha256}
            folder = self._target / verdict / path.parent.relative_to(self._source)
            place = sort_picture(path, folder, {"file": facts, "verdict": verdict} | told)
            tell("sorted", file=name, verdict=verdict, to=str(place))
        except FileNotFoundError:
            pass  # somebody else took it
        except (ServiceError, OSError) as error:
            code = error.code if isinstance(error, ServiceError) else "FILE_SYSTEM"
            self._is_troubled |= code not in DOUBTFUL and not is_of_one_file(error)
            tell("kept", file=name, code=code, message=str(error))
        finally:
            seen.is_taken = False

    def _ask(self, content: bytes, name: str, seen: Seen) -> tuple[str, dict[str, Any]]:
        """The folder and the note for a picture.

        Raises:
            ServiceError: The service may say something else later.
        """
        try:
            result = self._client.analyze(content, image_id=name)
        except ServiceError as error:
            seen.doubts += error.code in DOUBTFUL
            if error.code not in UNUSABLE and seen.doubts < PATIENCE:
                raise
            facts = {"code": error.code, "message": error.message, "request_id": error.request_id}
            return "failed", {"error": facts}
        return result.verdict, {"result": result.raw}


def look(folder: Path, leave_out: Path) -> Iterator[tuple[Path, Stamp]]:
    """Files below a folder that are named like pictures; hidden and linked ones are left out."""
    entries: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(folder) as listed:  # a drive that is away comes back
        entries.extend(listed)
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.is_symlink() or path == leave_out:
            continue
        if entry.is_dir():
            yield from look(path, leave_out)
        elif path.suffix.lower() in SUFFIXES and entry.is_file():
            with suppress(OSError):  # moved away since it was listed
                yield path, stamp_of(path)


def stamp_of(path: Path) -> Stamp:
    """What changes when a file is written."""
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def sort_picture(path: Path, folder: Path, note: dict[str, Any]) -> Path:
    """Move a picture into a folder, with a note beside it; where it is now.

    Raises:
        OSError: It is still where it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in free_names(path):
        place, beside = folder / name, folder / f"{name}.json"
        if os.path.lexists(place):
            if path.samefile(place):  # killed between the two steps of `move`
                path.unlink()
                return place
        elif write_note(beside, note):
            try:
                move(path, place)
                return place
            except FileExistsError:
                beside.unlink()
            except OSError:
                beside.unlink()
                raise
    raise RuntimeError("not reached: the names have no end")


def free_names(path: Path) -> Iterator[str]:
    """The name of a picture; where another has it, with its time, and then with a number too."""
    changed = path.stat().st_mtime_ns
    marks = (f"~{changed}-{number}" for number in itertools.count(2))
    for mark in itertools.chain(["", f"~{changed}"], marks):
        stem = path.stem
        while len(os.fsencode(f"{stem}{mark}{path.suffix}")) > NAME_BYTES:
            stem = stem[:-1]
        yield f"{stem}{mark}{path.suffix}"


def write_note(place: Path, note: dict[str, Any]) -> bool:
    """Write a note whole or not at all; False where there is another picture's already."""
    draft = place.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with draft.open("w", encoding="ascii") as file:
            json.dump(note, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        try:
            move(draft, place)
        except FileExistsError:
            if not is_note_of(place, note["file"]["sha256"]):
                return False
            draft.replace(place)  # we were killed before we moved its picture
        return True
    finally:
        draft.unlink(missing_ok=True)


def is_note_of(place: Path, sha256: str) -> bool:
    """Whether a note is about the picture with that content."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        return bool(json.loads(place.read_bytes())["file"]["sha256"] == sha256)
    return False


def move(source: Path, place: Path) -> None:
    """Give a file another name.

    Raises:
        FileExistsError: The name is taken; nothing happened.
        OSError: It cannot be; nothing happened.
    """
    if os.name == "nt":
        source.rename(place)  # Windows never replaces a file
        return
    try:
        os.link(source, place)
    except OSError as error:
        if error.errno not in WITHOUT_LINKS:
            raise
        os.close(os.open(place, os.O_CREAT | os.O_EXCL))  # the name is ours from here on
        source.replace(place)
    else:
        source.unlink()


def is_of_one_file(error: Exception) -> bool:
    """Whether the file system refused this picture alone, and not because of the drive."""
    return isinstance(error, OSError) and error.errno not in OF_THE_DRIVE


def tell(event: str, **facts: str) -> None:
    """One line of JSON; nobody may be reading."""
    with suppress(OSError):
        sys.stdout.write(json.dumps({"event": event} | facts) + "\n")
        sys.stdout.flush()


def take_folder(target: Path) -> IO[str]:
    """Lock a folder as long as the file is open, however the process ends.

    Raises:
        OSError: Another watcher sorts into it.
    """
    target.mkdir(parents=True, exist_ok=True)
    lock = (target / ".watch_folder").open("w")
    if os.name != "nt":
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def main() -> int:
    """Watch until a signal comes."""
    parser = argparse.ArgumentParser(description="Sort the pictures of a folder by verdict.")
    parser.add_argument("--from", dest="source", type=Path, required=True, help="camera's folder")
    parser.add_argument("--to", dest="target", type=Path, required=True, help="on the same drive")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the service")
    parser.add_argument("--every", type=float, default=1, help="seconds between two looks")
    parser.add_argument("--at-once", type=int, default=4, help="pictures that are asked about")
    parser.add_argument("--deadline", type=float, default=30, help="seconds for one picture")
    given = parser.parse_args()
    source, target = given.source.resolve(), given.target.resolve()
    if not source.is_dir() or source.is_relative_to(target) or given.at_once < 1:
        parser.error("expected --from a folder, --to another one, and --at-once 1 or more")
    try:
        lock = take_folder(target)
        if source.stat().st_dev != target.stat().st_dev:
            parser.error("--from and --to are on two drives: no picture could be moved in one step")
    except OSError as error:
        parser.error(f"{target} cannot be sorted into, or another watcher does so: {error}")
    with lock, Client(given.url, deadline_s=given.deadline) as client:
        watcher = Watcher(client, source, target, given.at_once)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, watcher.stop)
        tell("watching", folder=str(source))
        watcher.run(given.every)
    return 0


if __name__ == "__main__":
    sys.exit(main())
