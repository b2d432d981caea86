"""checkpoint: an interrupted training comes back as it was."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from defectseg.network.checkpoint import (
    CHECKPOINT,
    Progress,
    load_checkpoint,
    optimizer_tensors,
    prefixed,
    remove_checkpoint,
    restore_optimizer,
    save_checkpoint,
    without_prefix,
)

TENSORS = {"network.weight": torch.arange(6.0).reshape(2, 3), "best.count": torch.tensor(7)}


def progress() -> Progress:
    history = [{"train_loss": 0.1 + 0.2, "valid_iou_macro": 1 / 3}]
    return Progress("mine", epoch=4, best_epoch=2, best_score=0.7, history=history)


def test_what_was_saved_is_loaded(tmp_path: Path):
    save_checkpoint(tmp_path / "new", progress(), TENSORS)
    loaded, tensors = load_checkpoint(tmp_path / "new", "mine")
    assert loaded == progress()
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_a_second_save_replaces_the_first_and_leaves_nothing_else(tmp_path: Path):
    save_checkpoint(tmp_path, Progress("mine", epoch=3), TENSORS)
    save_checkpoint(tmp_path, progress(), TENSORS)
    assert load_checkpoint(tmp_path, "mine")[0].epoch == 4
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_the_same_state_gives_the_same_bytes(tmp_path: Path):
    for name in ("first", "second"):
        save_checkpoint(tmp_path / name, progress(), TENSORS)
    first, second = ((tmp_path / name / CHECKPOINT).read_bytes() for name in ("first", "second"))
    assert first == second


def starts_anew(folder: Path, fingerprint: str = "mine") -> bool:
    return load_checkpoint(folder, fingerprint) == (Progress(fingerprint), {})


def test_a_training_of_other_params_data_or_code_starts_anew(tmp_path: Path):
    save_checkpoint(tmp_path, progress(), TENSORS)
    assert not starts_anew(tmp_path)
    assert starts_anew(tmp_path, "another")


def test_after_its_removal_a_training_starts_anew(tmp_path: Path):
    save_checkpoint(tmp_path, progress(), TENSORS)
    remove_checkpoint(tmp_path)
    assert starts_anew(tmp_path)


def test_a_removal_takes_what_killed_runs_left_half_written_and_nothing_else(tmp_path: Path):
    save_checkpoint(tmp_path, progress(), TENSORS)
    for name in (f".{CHECKPOINT}.x1y2.part", "notes.txt", f"best-{CHECKPOINT}"):
        (tmp_path / name).write_text("")
    remove_checkpoint(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"best-{CHECKPOINT}", "notes.txt"]


def test_a_checkpoint_that_is_not_there_is_removed_already(tmp_path: Path):
    remove_checkpoint(tmp_path)
    remove_checkpoint(tmp_path / "not there")
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_fails_leaves_the_checkpoint_before(tmp_path: Path):
    save_checkpoint(tmp_path, progress(), TENSORS)
    shared = torch.zeros(3)
    with pytest.raises(RuntimeError, match="share memory"):
        save_checkpoint(tmp_path, Progress("mine", epoch=5), {"a": shared, "b": shared})
    assert load_checkpoint(tmp_path, "mine")[0] == progress()
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_others_may_read_a_checkpoint(tmp_path: Path):
    save_checkpoint(tmp_path, progress(), TENSORS)
    assert (tmp_path / CHECKPOINT).stat().st_mode & 0o777 == 0o644


def test_a_first_training_starts_anew(tmp_path: Path):
    assert starts_anew(tmp_path / "not there")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-8]),
    "no safetensors": lambda path: path.write_bytes(b"\x80\x04" + bytes(500)),
    "no progress in it": lambda path: save_file(TENSORS, path),
    "progress that is no JSON": lambda path: save_file(TENSORS, path, {"defectseg": "{"}),
    "progress of another version": lambda path: save_file(TENSORS, path, {"defectseg": '{"a": 1}'}),
    "progress of an earlier version": lambda path: save_file(
        TENSORS, path, {"defectseg": '{"fingerprint": "mine", "finished": true}'}
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_starts_anew(damage: str, tmp_path: Path):
    save_checkpoint(tmp_path, progress(), TENSORS)
    DAMAGES[damage](tmp_path / CHECKPOINT)
    assert starts_anew(tmp_path)


def test_prefixes_keep_the_parts_of_a_checkpoint_apart():
    whole = prefixed("best", {"a.b": torch.zeros(1)}) | prefixed("bestial", {"c": torch.ones(1)})
    assert list(whole) == ["best.a.b", "bestial.c"]
    assert list(without_prefix("best", whole)) == ["a.b"]


def test_a_restored_optimizer_takes_the_same_next_step(tmp_path: Path):
    network, optimizer = learning()
    for _ in range(3):
        step(network, optimizer)
    state = prefixed("network", network.state_dict())
    save_checkpoint(
        tmp_path, progress(), state | prefixed("optimizer", optimizer_tensors(optimizer))
    )
    resumed, fresh = learning()
    tensors = load_checkpoint(tmp_path, "mine")[1]
    resumed.load_state_dict(without_prefix("network", tensors))
    restore_optimizer(fresh, without_prefix("optimizer", tensors))
    step(network, optimizer)
    step(resumed, fresh)
    assert torch.equal(network.weight, resumed.weight)
    assert optimizer_tensors(fresh)["0.step"] == 4


def test_without_its_state_an_optimizer_would_step_elsewhere():
    network, optimizer = learning()
    step(network, optimizer)
    other, fresh = learning()
    other.load_state_dict(network.state_dict())
    step(network, optimizer)
    step(other, fresh)
    assert not torch.equal(network.weight, other.weight)


def learning() -> tuple[torch.nn.Linear, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    return network, torch.optim.AdamW(network.parameters(), lr=0.1)


def step(network: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    network(torch.tensor([[1.0, -2.0, 3.0]])).square().sum().backward()
    optimizer.step()
