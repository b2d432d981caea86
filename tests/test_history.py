"""history: the tables of a training, as DVCLive writes them and as a damaged disk leaves them."""

from pathlib import Path

import pytest
from dvclive import Live

from defectseg.errors import DataError
from defectseg.evaluation.history import read_history

PLOTS = "plots/metrics"


def write(folder: Path, name: str, content: bytes) -> Path:
    """One table of a log."""
    path = folder / PLOTS / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return folder


def test_what_a_training_logs_is_read_back_epoch_by_epoch(tmp_path: Path):
    with Live(str(tmp_path), save_dvc_exp=False, dvcyaml=None, monitor_system=False) as live:
        for loss, dice in ((1.25, 0.5), (0.125, 0.75)):
            live.log_metric("train_loss", loss)
            live.log_metric("valid_dice", dice)
            live.next_step()
    assert read_history(tmp_path) == {"train_loss": [1.25, 0.125], "valid_dice": [0.5, 0.75]}


def test_metrics_come_in_the_order_of_their_names(tmp_path: Path):
    for name in ("valid_dice", "learning_rate", "train_loss"):
        write(tmp_path, name, f"step\t{name}\n0\t1.0\n".encode())
    assert list(read_history(tmp_path)) == ["learning_rate", "train_loss", "valid_dice"]


def test_more_columns_than_are_needed_do_not_matter(tmp_path: Path):
    write(tmp_path, "loss", b"timestamp\tstep\tloss\n17\t0\t0.5\n18\t1\t1e-3\n")
    assert read_history(tmp_path) == {"loss": [0.5, 0.001]}


def test_a_training_that_logged_nothing_has_no_history(tmp_path: Path):
    assert read_history(tmp_path) == {}
    assert read_history(tmp_path / "nowhere") == {}
    assert read_history(write(tmp_path, "loss", b"step\tloss\n")) == {"loss": []}


def test_other_files_beside_the_tables_are_left_alone(tmp_path: Path):
    write(tmp_path, "loss", b"step\tloss\n0\t1\n")
    (tmp_path / PLOTS / "readme.txt").write_text("no table", "utf-8")
    assert read_history(tmp_path) == {"loss": [1.0]}


@pytest.mark.parametrize(
    "content",
    [
        b"step\tloss\n0\n",
        b"step\tloss\n0\tlow\n",
        b"step\tother\n0\t1.0\n",
        b"step\tloss\n0\t\xff\n",
        b"\0\0\0\0\n\0\0\n",
        b"step\tloss\n0\t" + b"1" * 200_000 + b"\n",
    ],
    ids=["short row", "no number", "other column", "no text", "zeros", "endless field"],
)
def test_a_damaged_table_is_named_with_what_to_do(content: bytes, tmp_path: Path):
    with pytest.raises(DataError, match=r"loss\.tsv is no log of a training: .*; run train again"):
        read_history(write(tmp_path, "loss", content))


def test_a_folder_in_the_place_of_a_table_is_refused(tmp_path: Path):
    (tmp_path / PLOTS / "loss.tsv").mkdir(parents=True)
    with pytest.raises(DataError, match="no log of a training"):
        read_history(tmp_path)
