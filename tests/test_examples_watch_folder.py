"""examples/watch_folder.py against the running service: no picture is lost, whatever happens."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conftest import FileServer, save_array
from drawn_model import paint, write_painted
from held_slot import count_refused, held_slot
from live_service import LiveService, serving

SCRIPT = Path(__file__).parents[1] / "examples/watch_folder.py"
sys.path.insert(0, str(SCRIPT.parent))

from watch_folder import sort_picture  # noqa: E402

CLEAN = "\n".join(["........"] * 8)
CRACK = "........ ........ ..111... ..111... ........ ........ ........ ........"
SECONDS = 60


@dataclass
class Run:
    """A running watcher."""

    process: subprocess.Popen[str]
    camera: Path
    sorted: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        """Wait until something is so, while it runs."""
        end = time.monotonic() + SECONDS
        while not (found := condition()):
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < end, self.lines
            time.sleep(0.01)
        return found

    def told(self, **facts: str) -> list[dict[str, Any]]:
        """Its lines that say so."""
        return [line for line in list(self.lines) if facts.items() <= line.items()]

    def wait_until_empty_but(self, *names: str) -> None:
        """Wait until the camera's folder has no other pictures."""
        self.wait_for(lambda: pictures_in(self.camera) == sorted(names))

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def watching(url: str, folder: Path, *options: str) -> Iterator[Run]:
    """Watch folder/camera, and sort into folder/sorted."""
    camera, target = folder / "camera", folder / "sorted"
    camera.mkdir(exist_ok=True)
    command = [sys.executable, SCRIPT, "--from", camera, "--to", target, "--url", url]
    process = subprocess.Popen(
        [*command, "--every", "0.2", *options], stdout=subprocess.PIPE, text=True
    )
    run = Run(process, camera, target)
    reader = threading.Thread(target=read_lines, args=(run,), daemon=True)
    reader.start()
    try:
        run.wait_for(lambda: run.told(event="watching"))
        yield run
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(SECONDS)
        reader.join(SECONDS)
        if process.stdout:
            process.stdout.close()


def read_lines(run: Run) -> None:
    """Keep what it tells."""
    if run.process.stdout:
        run.lines.extend(json.loads(line) for line in run.process.stdout)


def pictures_in(folder: Path) -> list[str]:
    """All files below a folder, but for notes and hidden ones."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = (str(path.relative_to(folder)) for path in found if not path.name.startswith("."))
    return sorted(name for name in names if not name.endswith(".json"))


def note_of(picture: Path) -> Any:
    """What is written beside a picture."""
    return json.loads(picture.with_name(f"{picture.name}.json").read_text())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with serving(tmp_path_factory.mktemp("service"), slots=4) as service:
        yield service


def test_pictures_go_where_their_verdict_says_with_a_note_beside_them(
    service: LiveService, tmp_path: Path
):
    camera = tmp_path / "camera"
    write_painted(camera / "a.png", CLEAN)
    write_painted(camera / "line 1/b.png", CRACK)
    write_painted(camera / "c.bmp", CRACK, level=170)
    (camera / "d.jpg").write_bytes(b"no picture")
    (camera / "notes.txt").write_text("not for the service")
    with watching(service.url, tmp_path) as run:
        run.wait_until_empty_but("notes.txt")
        assert run.stop() == 0
    expected = ["accept/a.png", "failed/d.jpg", "reject/line 1/b.png", "review/c.bmp"]
    assert pictures_in(run.sorted) == expected
    note = note_of(run.sorted / "reject/line 1/b.png")
    assert note["file"]["path"] == "line 1/b.png"
    assert note["result"]["image_id"] == "line 1/b.png"
    assert note["result"]["defects"][0]["box"] == [2, 2, 5, 4]
    assert note_of(run.sorted / "failed/d.jpg")["error"]["code"] == "UNSUPPORTED_IMAGE"


def test_a_picture_that_is_still_being_written_is_waited_for(service: LiveService, tmp_path: Path):
    content = write_painted(tmp_path / "a.png", CRACK).read_bytes()
    with watching(service.url, tmp_path, "--every", "1") as run:
        picture = run.camera / "a.png"
        picture.write_bytes(content[:40])
        run.wait_for(lambda: run.told(event="kept", file="a.png"))
        picture.write_bytes(content)
        run.wait_until_empty_but()
    assert pictures_in(run.sorted) == ["reject/a.png"]
    assert (run.sorted / "reject/a.png").read_bytes() == content


def test_a_picture_is_not_asked_about_while_it_grows(service: LiveService, tmp_path: Path):
    content = write_painted(tmp_path / "a.png", CRACK).read_bytes()
    with (
        watching(service.url, tmp_path, "--every", "1") as run,
        (run.camera / "a.png").open("wb") as file,
    ):
        write_painted(run.camera / "other.png", CLEAN)
        while pictures_in(run.camera) != ["a.png"]:  # so many looks see it grow
            file.write(content[:1])
            file.flush()
            time.sleep(0.01)
        assert run.told(file="a.png") == []


def test_a_name_that_is_taken_is_never_taken_away(service: LiveService, tmp_path: Path):
    earlier = write_painted(tmp_path / "sorted/reject/a.png", CLEAN).read_bytes()
    later = []
    with watching(service.url, tmp_path) as run:
        for level in (250, 251, 252):
            later.append(write_painted(run.camera / "a.png", CRACK, level).read_bytes())
            run.wait_until_empty_but()
    kept = [run.sorted / name for name in pictures_in(run.sorted)]
    assert (run.sorted / "reject/a.png").read_bytes() == earlier
    assert {path.read_bytes() for path in kept} == {earlier, *later}
    assert [path.name.startswith("a~") for path in kept] == [False, True, True, True]
    notes = [note_of(path) for path in kept[1:]]
    assert len({note["file"]["sha256"] for note in notes}) == 3


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from watch_folder import sort_picture

CHANGES = {"os.link", "os.remove", "os.rename", "os.mkdir"}

def sort_in(folder, steps):
    def count(event, arguments):
        nonlocal steps
        if event in CHANGES or (event == "open" and "sorted" in str(arguments[0])):
            if steps == 0:
                os._exit(9)
            steps -= 1

    os.chdir(folder)
    sys.addaudithook(count)
    note = {"file": {"sha256": "1"}}
    sort_picture(Path("camera/a.png"), Path("sorted/reject"), note)
    return 0

for folder, steps in zip(sys.argv[2::2], sys.argv[3::2]):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = sort_in(folder, int(steps))
        finally:
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def sort_killed(steps: dict[Path, int]) -> list[int]:
    """Sort the picture of each folder, killed after so many steps; 9 where it was, else 0."""
    given = [str(value) for pair in steps.items() for value in pair]
    command = [sys.executable, "-c", KILLED, SCRIPT.parent, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(status) for status in done.stdout.split()]


def test_killed_at_any_step_nothing_is_lost_doubled_or_without_a_note(tmp_path: Path):
    folders = [tmp_path / str(steps) for steps in range(16)]
    contents = [write_painted(folder / "camera/a.png", CRACK).read_bytes() for folder in folders]
    found = sort_killed({folder: steps for steps, folder in enumerate(folders)})
    killed = found.count(9)
    assert found == [9] * killed + [0] * (16 - killed)
    assert killed >= 7  # mkdir ×3, the draft, its link and removal, the picture's link and removal
    for folder in folders:
        assert all(note_of(folder / "sorted" / name) for name in pictures_in(folder / "sorted"))
    left = [folder for folder in folders if pictures_in(folder / "camera")]
    assert left == folders[:killed]
    assert set(sort_killed(dict.fromkeys(left, 99))) == {0}
    for folder, content in zip(folders, contents, strict=True):
        assert (pictures_in(folder / "camera")) == []
        assert pictures_in(folder / "sorted") == ["reject/a.png"]
        assert (folder / "sorted/reject/a.png").read_bytes() == content
        assert [path.name for path in folder.rglob("*.json")] == ["a.png.json"]


def test_killed_while_it_waits_for_a_verdict_it_left_the_picture_alone(
    service: LiveService, tmp_path: Path
):
    write_painted(tmp_path / "camera/a.png", CRACK)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        watching(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path) as run,
    ):
        silent.accept()[0].close()
        assert run.stop(signal.SIGKILL) == -signal.SIGKILL
    assert (pictures_in(run.camera), pictures_in(run.sorted)) == (["a.png"], [])
    with watching(service.url, tmp_path) as run:
        run.wait_until_empty_but()
    assert pictures_in(run.sorted) == ["reject/a.png"]


@pytest.mark.slow
def test_a_service_that_is_down_and_restarted_costs_only_time(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    names = [f"{number:02}.png" for number in range(40)]
    for name in names[:20]:
        write_painted(tmp_path / "camera" / name, CRACK)
    with watching(f"http://127.0.0.1:{port}", tmp_path, "--deadline", "1") as run:
        run.wait_for(lambda: run.told(event="kept", code="UNREACHABLE"))
        assert pictures_in(run.camera) == names[:20]
        with serving(tmp_path / "first", port=port) as first:
            run.wait_for(lambda: len(run.told(event="sorted")) >= 5)
            for name in names[20:]:
                write_painted(tmp_path / "camera" / name, CRACK)
            assert first.stop() == 0
        with serving(tmp_path / "second", port=port):
            run.wait_until_empty_but()
            assert run.stop() == 0
    assert pictures_in(run.sorted) == [f"reject/{name}" for name in names]
    assert len(run.told(event="sorted")) == 40


def test_an_interrupt_ends_the_waiting_and_leaves_what_has_no_verdict(tmp_path: Path):
    with (
        serving(tmp_path / "service", slots=1) as service,
        watching(service.url, tmp_path, "--deadline", "50") as run,
        held_slot(service),
    ):
        before = count_refused(service)
        write_painted(run.camera / "a.png", CRACK)
        run.wait_for(lambda: count_refused(service) > before)
        started = time.monotonic()
        assert run.stop(signal.SIGTERM) == 0
        assert time.monotonic() - started < 10
    assert (pictures_in(run.camera), pictures_in(run.sorted)) == (["a.png"], [])


def test_a_wrong_address_leaves_all_pictures_and_is_not_asked_in_a_hurry(
    service: LiveService, file_server: FileServer, tmp_path: Path
):
    for number in range(50):
        write_painted(tmp_path / f"camera/{number}.png", CRACK)
    for url, code in [(f"{service.url}/else", "NOT_FOUND"), (file_server.url, "HTTP_501")]:
        with watching(url, tmp_path) as run:
            run.wait_for(lambda code=code: run.told(event="kept", code=code))
            assert run.stop() == 0
        assert len(run.told(event="kept")) < 25
        assert len(pictures_in(run.camera)) == 50


def test_a_picture_without_verdict_has_failed_at_once(service: LiveService, tmp_path: Path):
    colours = paint(CLEAN)
    colours[0, 0, 2] = 255  # the model gives no number
    save_array(tmp_path / "camera/a.png", colours)
    with watching(service.url, tmp_path) as run:
        run.wait_until_empty_but()
    assert note_of(run.sorted / "failed/a.png")["error"]["code"] == "MODEL_OUTPUT_INVALID"


def test_hostile_names_are_sorted_and_links_and_hidden_files_stay(
    service: LiveService, tmp_path: Path
):
    names = ["-x.png", 'q"\\uote.png', "new\nline.png", "$(id).png", "\u202egnp.exe.PNG", "é漢.png"]
    names += [os.fsdecode(b"\xff\xfe.png"), "a.png.json.png", "a.png"]
    (tmp_path / "camera").mkdir()
    for name in [*names, f"{'x' * 251}.png"]:
        write_painted(tmp_path / "b.png", CRACK).rename(tmp_path / "camera" / name)
    outside = write_painted(tmp_path / "outside/secret.png", CRACK)
    (tmp_path / "camera/link.png").symlink_to(outside)
    (tmp_path / "camera/folder").symlink_to(outside.parent)
    write_painted(tmp_path / "camera/.hidden.png", CRACK)
    (tmp_path / "camera/dir.png").mkdir()
    with watching(service.url, tmp_path) as run:
        run.wait_until_empty_but("link.png")
        assert run.stop() == 0
    expected = [f"reject/{name}" for name in [*names, f"{'x' * 236}.png"]]  # .json fits too
    assert pictures_in(run.sorted) == sorted(expected)
    assert all(note_of(run.sorted / name)["verdict"] == "reject" for name in expected)
    assert outside.exists()
    assert (tmp_path / "camera/.hidden.png").exists()


def test_no_more_pictures_are_asked_about_at_once_than_was_said(tmp_path: Path):
    for number in range(10):
        write_painted(tmp_path / f"camera/{number}.png", CRACK)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with watching(url, tmp_path, "--at-once", "3"):
            held = [silent.accept()[0] for _ in range(3)]
            silent.settimeout(1)
            with pytest.raises(TimeoutError):
                silent.accept()
        for connection in held:
            connection.close()


def test_two_watchers_never_sort_into_one_folder(service: LiveService, tmp_path: Path):
    with watching(service.url, tmp_path) as run:
        command = [sys.executable, SCRIPT, "--from", run.camera, "--to", run.sorted]
        second = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    assert second.returncode == 2
    assert "another watcher" in second.stderr


@pytest.mark.parametrize(("source", "target"), [("a", "a"), ("a/b", "a"), ("gone", "a")])
def test_folders_that_cannot_be_are_refused(source: str, target: str, tmp_path: Path):
    (tmp_path / "a/b").mkdir(parents=True)
    command = [sys.executable, SCRIPT, "--from", source, "--to", target]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "expected --from a folder, --to another one" in done.stderr


def test_a_drive_without_hard_links_is_sorted_into_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*paths: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    note = {"file": {"sha256": "1"}}
    for _ in range(2):
        sort_picture(write_painted(tmp_path / "a.png", CRACK), tmp_path / "reject", note)
    first, second = sorted((tmp_path / "reject").glob("*.png"))
    assert first.name == "a.png"
    assert first.read_bytes() == second.read_bytes()
    assert note_of(second) == note
    assert not (tmp_path / "a.png").exists()


def test_files_that_cannot_be_sorted_hold_up_no_other(tmp_path: Path, service: LiveService):
    """Their folder cannot be made: a file has its name."""
    camera = tmp_path / "camera"
    for number in range(5):
        write_painted(camera / f"blocked/{number}.png", CRACK)
    for verdict in ("accept", "reject", "review"):
        (tmp_path / "sorted" / verdict).mkdir(parents=True)
        (tmp_path / "sorted" / verdict / "blocked").write_text("in the way")
    write_painted(camera / "later.png", CRACK)
    with watching(service.url, tmp_path) as run:
        run.wait_for(lambda: run.told(event="sorted", file="later.png"))
        assert run.told(event="kept", code="FILE_SYSTEM")
        assert len(list((camera / "blocked").iterdir())) == 5
