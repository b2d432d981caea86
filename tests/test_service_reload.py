"""service.reload: a changed file is served once it rests; a bad one is tried once."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

import numpy as np
import pytest

from dark_model import dark_point, write_dark_model
from defectseg.errors import DefectsegError
from defectseg.service.file_mark import mark_file
from defectseg.service.model import ModelHolder, ServedModel
from defectseg.service.reload import Reloader
from defectseg.service.settings import Settings
from edited_model import write_content

CPU = Settings(provider="cpu")
POLL_S = 0.02
PATIENCE_S = 30
QUIET_S = 0.4  # 20 looks: long enough to see what must not happen


@dataclass
class Watched:
    """A model file with a thread that watches it."""

    path: Path
    models: ModelHolder
    reloader: Reloader
    told: SimpleQueue[tuple[str, ServedModel | DefectsegError]] = field(default_factory=SimpleQueue)

    def wait(self, result: str) -> Any:
        """The next thing that the thread tells, which must be of that kind."""
        came, what = self.told.get(timeout=PATIENCE_S)
        assert came == result, what
        return what

    def is_quiet(self) -> bool:
        """Whether it tells nothing more."""
        try:
            return not self.told.get(timeout=QUIET_S)
        except Empty:
            return True

    def still_predicts(self) -> bool:
        """Whether the model that is served sees a black pixel as a blowhole."""
        output = self.models.current.engine.run(np.zeros((1, 1, 1, 1), np.uint8))
        return bool(output.mask[0, 0, 0] == 2)


@contextmanager
def watching(path: Path, poll_s: float = POLL_S) -> Iterator[Watched]:
    told: SimpleQueue[Any] = SimpleQueue()
    models = ModelHolder(path, CPU)
    reloader = Reloader(models, poll_s, lambda *what: told.put(what))
    reloader.start()
    try:
        yield Watched(path, models, reloader, told)
    finally:
        assert reloader.stop(PATIENCE_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_dark_model(tmp_path / "models" / "unet.onnx")


@pytest.fixture
def watched(path: Path) -> Iterator[Watched]:
    with watching(path) as watched:
        yield watched


def model_bytes(path: Path, reject: float) -> bytes:
    """A model with another operating point; the same size for each of one digit."""
    made = write_dark_model(
        path.with_suffix(".new"), operating_point=dark_point(reject=reject).model_dump_json()
    )
    content = made.read_bytes()
    made.unlink()
    return content


def replace(path: Path, content: bytes) -> None:
    """As a deployment should: the new file takes the name at once."""
    write_content(path.with_suffix(".part"), content).replace(path)


def overwrite(path: Path, content: bytes) -> None:
    """As `cp` does: in place."""
    write_content(path, content)


def swap_link(path: Path, content: bytes) -> None:
    """As a cluster's volumes do: the name is a link to another folder."""
    path.unlink()
    path.symlink_to(write_content(path.with_suffix(".v2"), content))


def overwrite_with_its_times(path: Path, content: bytes) -> None:
    """As `cp -p` of an archive does whose files all have one time."""
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    assert len(content) == path.stat().st_size
    write_content(path, content)
    os.utime(path, ns=times)


@pytest.mark.parametrize("change", [replace, overwrite, swap_link])
def test_a_file_that_changed_is_served(change: Callable[[Path, bytes], None], watched: Watched):
    change(watched.path, model_bytes(watched.path, reject=0.9))
    model = watched.wait("ok")
    assert model.facts.point.reject == 0.9
    assert watched.models.current is model
    assert watched.is_quiet()


def test_a_file_of_the_same_size_and_time_is_seen_to_be_another_one(path: Path):
    overwrite(path, model_bytes(path, reject=0.8))
    with watching(path) as watched:
        overwrite_with_its_times(path, model_bytes(path, reject=0.9))
        assert watched.wait("ok").facts.point.reject == 0.9


def test_a_file_that_stays_as_it_is_is_left_alone(watched: Watched):
    assert watched.is_quiet()


def test_a_change_between_the_load_and_the_start_is_seen(path: Path):
    told: SimpleQueue[Any] = SimpleQueue()
    models = ModelHolder(path, CPU)
    replace(path, model_bytes(path, reject=0.9))
    reloader = Reloader(models, POLL_S, lambda *what: told.put(what))
    reloader.start()
    assert told.get(timeout=PATIENCE_S)[0] == "ok"
    assert reloader.stop()


def test_a_request_reloads_a_file_that_did_not_change(path: Path):
    with watching(path, poll_s=0) as watched:
        earlier = watched.models.current
        watched.reloader.ask()
        model = watched.wait("ok")
        assert model.sha256 == earlier.sha256
        assert watched.models.current is model is not earlier
        assert watched.is_quiet()


def test_without_polling_a_change_waits_for_a_request(path: Path):
    with watching(path, poll_s=0) as watched:
        replace(path, model_bytes(path, reject=0.9))
        assert watched.is_quiet()
        watched.reloader.ask()
        assert watched.wait("ok").facts.point.reject == 0.9


def test_many_requests_at_once_are_few_reloads(path: Path):
    told: SimpleQueue[Any] = SimpleQueue()
    reloader = Reloader(ModelHolder(path, CPU), 0, lambda *what: told.put(what))
    for _ in range(50):
        reloader.ask()
    reloader.start()
    assert told.get(timeout=PATIENCE_S)[0] == "ok"
    assert reloader.stop()
    assert told.empty()


def test_a_copy_in_progress_is_not_read_before_it_rests(path: Path):
    content = model_bytes(path, reject=0.9)
    with watching(path, poll_s=1) as watched:
        end = time.monotonic() + 2.5  # at least two looks
        with path.open("wb", buffering=0) as file:
            while time.monotonic() < end:
                file.write(content[file.tell() : file.tell() + 4])
                Event().wait(0.01)
            assert watched.told.empty()
            file.write(content[file.tell() :])
        assert watched.wait("ok").facts.point.reject == 0.9


def test_a_copy_that_stops_half_way_is_refused_and_served_when_it_goes_on(watched: Watched):
    content = model_bytes(watched.path, reject=0.9)
    with watched.path.open("wb", buffering=0) as file:
        file.write(content[:-100])
        assert "unet.onnx" in str(watched.wait("rejected"))
        assert watched.still_predicts()
        file.write(content[-100:])
    assert watched.wait("ok").facts.point.reject == 0.9


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def wrong_hash(path: Path) -> None:
    write_content(path.with_name("unet.onnx.sha256"), b"0" * 64)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: replace(path, b"garbage"), "cannot load"),
        (lambda path: overwrite(path, b""), "cannot load"),
        (lambda path: write_dark_model(path, classes=None), "lacks our metadata"),
        (to_pipe, "no plain file"),
        (to_folder, "Is a directory"),
        (wrong_hash, "says 000"),
    ],
)
@pytest.mark.timeout(60)
def test_a_bad_file_is_tried_once_and_the_earlier_model_goes_on(
    damage: Callable[[Path], Any], message: str, watched: Watched
):
    earlier = watched.models.current
    damage(watched.path)
    assert message in str(watched.wait("rejected"))
    assert watched.is_quiet()
    assert watched.models.current is earlier
    assert watched.still_predicts()


def test_the_next_good_file_is_served_after_a_bad_one(watched: Watched):
    replace(watched.path, b"garbage")
    watched.wait("rejected")
    replace(watched.path, model_bytes(watched.path, reject=0.9))
    assert watched.wait("ok").facts.point.reject == 0.9


def test_a_hash_that_was_put_right_is_enough_to_try_again(watched: Watched):
    wrong_hash(watched.path)
    watched.wait("rejected")
    watched.path.with_name("unet.onnx.sha256").unlink()
    watched.wait("ok")
    assert watched.is_quiet()


def test_a_file_that_vanishes_is_waited_for(watched: Watched):
    content = model_bytes(watched.path, reject=0.9)
    watched.path.unlink()
    assert watched.is_quiet()
    assert watched.still_predicts()
    write_content(watched.path, content)
    assert watched.wait("ok").facts.point.reject == 0.9


def test_a_folder_that_vanishes_is_waited_for(watched: Watched):
    shutil.rmtree(watched.path.parent)
    assert watched.is_quiet()
    write_dark_model(watched.path)
    watched.wait("ok")


def test_a_request_for_a_file_that_is_gone_is_rejected(watched: Watched):
    watched.path.unlink()
    watched.reloader.ask()
    assert "No such file" in str(watched.wait("rejected"))
    assert watched.still_predicts()


def test_what_another_way_has_loaded_is_not_loaded_again(path: Path):
    told: SimpleQueue[Any] = SimpleQueue()
    models = ModelHolder(path, CPU)
    replace(path, model_bytes(path, reject=0.9))
    model = models.reload()
    reloader = Reloader(models, POLL_S, lambda *what: told.put(what))
    reloader.start()
    with pytest.raises(Empty):
        told.get(timeout=QUIET_S)
    assert models.current is model
    assert reloader.stop()


def test_reloads_do_not_disturb_a_thread_that_predicts(watched: Watched):
    end = Event()

    def count_wrong() -> int:
        wrong = 0
        while not end.is_set():
            wrong += not watched.still_predicts()
        return wrong

    with ThreadPoolExecutor(1) as pool:
        wrong = pool.submit(count_wrong)
        try:
            for number in range(10):
                is_bad = number % 2 == 1
                good = model_bytes(watched.path, reject=0.8 + number / 100)
                replace(watched.path, b"bad" if is_bad else good)
                watched.wait("rejected" if is_bad else "ok")
        finally:
            end.set()
        assert wrong.result() == 0


def test_the_end_comes_at_once_though_the_next_look_is_far_away(path: Path):
    with watching(path, poll_s=3600) as watched:
        assert watched.reloader.stop(PATIENCE_S)
        watched.reloader.ask()
        assert watched.is_quiet()


def test_a_mark_tells_what_is_there_without_opening_it(tmp_path: Path):
    path = tmp_path / "m"
    assert mark_file(path) is None
    assert mark_file(path / "below") is None
    assert mark_file(Path("a\0b")) is None
    os.mkfifo(path)
    assert mark_file(path) is not None
    path.unlink()
    write_content(path, b"12")
    mark = mark_file(path)
    assert mark is not None and mark.size == 2
    assert mark == mark_file(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert mark_file(link) == mark
