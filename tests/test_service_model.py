"""service.model: a model is served only when it is whole, the promised one, ours and warm."""

import gc
import hashlib
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from dark_model import write_dark_model
from defectseg.errors import ModelFileError
from defectseg.service.model import ModelHolder, ServedModel, load_model
from defectseg.service.settings import Settings
from defectseg.service.threads_plan import plan_threads
from drawn_model import POINT, write_model
from edited_model import edited, one_picture_only, set_value, write_content

CPU = Settings(provider="cpu")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_dark_model(tmp_path / "unet.onnx")


def other_model(path: Path) -> Path:
    """To this model everything is a blowhole that is not white."""
    return edited(path, lambda model: set_value(model, "threshold", 0.001))


def grey_is_a_defect(model: ServedModel) -> bool:
    """By the first model only what is darker than half, by the other one nearly everything."""
    mask = model.engine.run(np.full((1, 1, 1, 1), 250, np.uint8)).mask
    return bool(mask[0, 0, 0])


def test_a_model_says_whose_bytes_run_and_since_when(path: Path):
    before = time.time()
    model = load_model(path, CPU)
    assert (model.name, model.sha256) == ("unet", digest(path))
    assert before <= model.loaded_at <= time.time()
    assert model.facts is model.engine.facts
    assert model.facts.classes == ("crack", "blowhole")
    assert model.engine.provider == "CPU"


@pytest.mark.parametrize("settings", [{}, {"threads": 3, "spin": True}, {"workers": 1}])
def test_the_engine_runs_as_the_settings_say(settings: dict[str, Any], path: Path):
    wanted = Settings(**settings)
    options = load_model(path, wanted).engine._session.get_session_options()
    assert options.intra_op_num_threads == plan_threads(wanted).threads
    spin = options.get_session_config_entry("session.intra_op.allow_spinning")
    assert spin == ("1" if wanted.spin else "0")


def test_a_model_that_cannot_answer_is_named(tmp_path: Path):
    path = edited(tmp_path / "unet.onnx", lambda model: set_value(model, "white", 0))
    with pytest.raises(ModelFileError, match=r"/unet\.onnx: the model gave what is no number"):
        load_model(path, CPU)


def test_it_is_warmed_up_with_the_batches_of_the_settings(tmp_path: Path):
    path = edited(tmp_path / "unet.onnx", one_picture_only)
    load_model(path, Settings(batch_size=1))
    with pytest.raises(ModelFileError, match=r"/unet\.onnx: the model cannot be run: .*Gather"):
        load_model(path, Settings(batch_size=5))


def test_a_hash_in_the_settings_must_be_that_of_the_file(path: Path):
    assert load_model(path, Settings(model_sha256=digest(path))).sha256 == digest(path)
    with pytest.raises(ModelFileError) as caught:
        load_model(path, Settings(model_sha256="0" * 64))
    assert f"has the SHA-256 {digest(path)}, but DEFECTSEG_MODEL_SHA256 says {'0' * 64}; " in str(
        caught.value
    )


def beside(path: Path) -> Path:
    return path.with_name("unet.onnx.sha256")


@pytest.mark.parametrize("option", ["--text", "--binary"])
def test_the_file_that_sha256sum_writes_beside_it_is_believed(option: str, path: Path):
    command = ["sha256sum", option, path.name]
    made = subprocess.run(command, cwd=path.parent, capture_output=True, check=True)
    write_content(beside(path), made.stdout)
    assert load_model(path, CPU).sha256 == digest(path)
    other_model(path)
    with pytest.raises(ModelFileError, match=r"but unet\.onnx\.sha256 says [0-9a-f]{64}; put the"):
        load_model(path, CPU)
    load_model(path, Settings(model_sha256=digest(path)))  # the settings come first


@pytest.mark.parametrize(
    "text",
    [
        "{found}",
        "{FOUND}  unet.onnx\n",
        "{found} *unet.onnx\r\n",
        "{zeros}  other.onnx\n{found}  unet.onnx\n{zeros}  unet.onnx.old\n",
        "# made by the line\n{found}  unet.onnx\n",
    ],
)
def test_other_ways_to_write_that_file_are_read(text: str, path: Path):
    found = digest(path)
    written = text.format(found=found, FOUND=found.upper(), zeros="0" * 64)
    write_content(beside(path), written.encode())
    assert load_model(path, CPU).sha256 == found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"has no hash of unet\.onnx; write it by `sha256sum NAME > NAME\.sha256`"),
        (b"abc  unet.onnx\n", "has no hash of"),
        (b"0" * 64 + b"  other.onnx\n", "has no hash of"),
        (b"0" * 65, "has no hash of"),
        (b"\xff" * 64, "cannot be read: 'utf-8' codec"),
        (b"\n" * 70_000, "is no file with a hash"),
        (b"0" * 64, "says 0{64}; put the right file there"),
    ],
)
def test_a_file_that_promises_nothing_or_another_model_is_refused(
    content: bytes, message: str, path: Path
):
    write_content(beside(path), content)
    with pytest.raises(ModelFileError, match=rf"unet\.onnx\.sha256 {message}"):
        load_model(path, CPU)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
@pytest.mark.timeout(20)
def test_what_is_no_file_in_its_place_is_refused(make: Callable[[Path], Any], path: Path):
    make(beside(path))
    with pytest.raises(ModelFileError, match="is no file with a hash"):
        load_model(path, CPU)


def test_a_reload_serves_the_new_file_and_its_operating_point(tmp_path: Path):
    path = write_model(tmp_path / "unet.onnx")
    models = ModelHolder(path, CPU)
    assert models.current.facts.point == POINT
    stricter = POINT.model_copy(update={"reject": 0.95})
    write_model(path, operating_point=stricter.model_dump_json())
    assert models.current.facts.point == POINT  # until it is asked to
    assert models.reload() is models.current
    assert models.current.facts.point == stricter
    assert models.current.sha256 == digest(path)


def test_who_holds_the_earlier_model_goes_on_with_it(path: Path):
    models = ModelHolder(path, CPU)
    earlier, sha256 = models.current, digest(path)
    other_model(path)
    later = models.reload()
    assert (earlier.sha256, later.sha256) == (sha256, digest(path))
    assert not grey_is_a_defect(earlier)
    assert grey_is_a_defect(later)


def test_a_run_that_began_before_a_reload_ends_as_it_began(path: Path):
    models = ModelHolder(path, CPU)
    pictures = np.full((1, 3000, 4000, 1), 250, np.uint8)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(models.current.engine.run, pictures)
        other_model(path)
        models.reload()
        assert not run.result().mask.any()
    assert grey_is_a_defect(models.current)


def test_the_earlier_engine_goes_when_nobody_holds_it(path: Path):
    models = ModelHolder(path, CPU)
    earlier = weakref.ref(models.current.engine)
    models.reload()
    gc.collect()
    assert earlier() is None


def cut_off(path: Path) -> None:
    write_content(path, path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, "No such file"),
        (lambda path: write_content(path, b""), "No graph was found"),
        (lambda path: write_content(path, b"garbage"), "protobuf parsing failed"),
        (cut_off, "ONNX Runtime cannot load|lacks our metadata"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "it is no plain file"),
        (lambda path: write_dark_model(path, classes=None), "lacks our metadata 'classes'"),
        (lambda path: write_content(beside(path), b"0" * 64), "says 0{64}"),
    ],
)
@pytest.mark.timeout(30)
def test_a_file_that_cannot_be_served_leaves_the_earlier_model(
    damage: Callable[[Path], Any], message: str, path: Path
):
    models = ModelHolder(path, CPU)
    earlier = models.current
    damage(path)
    for _ in range(2):
        with pytest.raises(ModelFileError, match=message):
            models.reload()
    assert models.current is earlier
    assert not grey_is_a_defect(earlier)


def test_what_may_not_be_read_any_more_leaves_the_earlier_model(path: Path):
    models = ModelHolder(path, CPU)
    path.chmod(0)
    user = os.geteuid()
    os.seteuid(user or 65534)  # whom permissions do not bind becomes somebody else
    try:
        with pytest.raises(ModelFileError, match="Permission denied"):
            models.reload()
    finally:
        os.seteuid(user)
    assert not grey_is_a_defect(models.current)


def test_runs_and_reloads_at_the_same_time_do_not_disturb_each_other(path: Path):
    models = ModelHolder(path, CPU)
    with ThreadPoolExecutor(8) as pool:
        reloads = [pool.submit(models.reload) for _ in range(20)]
        runs = [pool.submit(lambda: grey_is_a_defect(models.current)) for _ in range(200)]
        assert not any(run.result() for run in runs)
        assert len({id(reload.result()) for reload in reloads}) == 20
    assert models.current in [reload.result() for reload in reloads]


def test_an_error_that_nobody_thought_of_is_a_rejected_model_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    models = ModelHolder(path, CPU)
    monkeypatch.setattr(hashlib, "sha256", None)  # what comes then is a TypeError
    with pytest.raises(ModelFileError, match=r"unet\.onnx cannot be loaded: TypeError"):
        models.reload()
    monkeypatch.undo()
    assert models.reload() is models.current


RELOADS = """
import sys
from pathlib import Path
from defectseg.service.model import ModelHolder
from defectseg.service.settings import Settings

def resident_mib():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024

models = ModelHolder(Path(sys.argv[1]), Settings(provider="cpu"))
models.reload()
before = resident_mib()
for _ in range(8):
    models.reload()
print(resident_mib() - before)
"""


def test_reloads_do_not_add_up_in_memory(tmp_path: Path):
    """With 20 MiB of weights; without `trim_heap` it is 20 MiB more, of a real model 200."""
    path = edited(tmp_path / "unet.onnx", add_weights)
    result = subprocess.run(
        [sys.executable, "-c", RELOADS, path], capture_output=True, text=True, check=True
    )
    assert float(result.stdout) < 10


def add_weights(model: onnx.ModelProto) -> None:
    """20 MiB in 640 tensors, of which the model needs the least: white is 255 + 0 × their sum."""
    names = [f"w{number}" for number in range(640)]
    zeros = np.zeros(8192, np.float32)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(zeros, name) for name in names)
    node = onnx.helper.make_node
    divide = next(node for node in model.graph.node if node.op_type == "Div")
    divide.input[1] = "still_white"
    for place, new in enumerate(
        [
            node("Shape", ["pictures"], ["count"], start=0, end=1),
            node("Concat", names, ["weights"], axis=0),
            node("Gather", ["weights", "count"], ["nothing"]),
            node("Add", ["white", "nothing"], ["still_white"]),
        ]
    ):
        model.graph.node.insert(place, new)
