"""benchmarks/magnetic_tiles: its folds, settings and results are what they say they are."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from defectseg.data.tile import CLEAN
from defectseg.determinism import ComputeParams
from defectseg.errors import ParamsError
from tiny import CLASSES, train_params, write_tiles

BENCHMARK = Path(__file__).parents[1] / "benchmarks/magnetic_tiles"
sys.path.insert(0, str(BENCHMARK))

import early  # noqa: E402
import fold  # noqa: E402
import markdown_tables  # noqa: E402
import protocol  # noqa: E402
import settings  # noqa: E402
import table  # noqa: E402

import results  # noqa: E402

KINDS = ("crack", "blowhole", CLEAN)


def test_every_setting_is_one_that_training_takes():
    names = settings.setting_names()
    found = [settings.read_setting(name) for name in names]
    assert [one.name for one in found] == names
    assert all(one.start in {None, *names} for one in found)


def test_a_setting_changes_what_it_says_and_what_its_start_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    written = """
first: {why: it is first, train.epochs: 3, train.image_size: 64}
second: {from: first, why: longer, train.epochs: 5, flips: true}
wrong: {why: a typing error, train.epoch: 5}
mixed: {from: first, why: of nothing, drawn_share: 0.5}
"""
    (tmp_path / "settings.yaml").write_text(written)
    monkeypatch.setattr(settings, "SETTINGS", tmp_path / "settings.yaml")
    second = settings.read_setting("second")
    assert (second.train.epochs, second.train.image_size, second.flips) == (5, 64, True)
    assert second.pretrained_as == "first"
    with pytest.raises(ParamsError, match=r"params.yaml has no train\.epoch$"):
        settings.read_setting("wrong")
    with pytest.raises(ParamsError, match="mixed has a drawn_share, but no pretrain"):
        settings.read_setting("mixed")
    with pytest.raises(ParamsError, match="no setting 'third'; it has first, second, wrong"):
        settings.read_setting("third")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a tiny benchmark of two settings, three folds, one seed."""
    folder = tmp_path_factory.mktemp("benchmark")
    drawn = write_tiles(folder / "tiles", KINDS * 5)
    named = [
        replace(tile, id=id_of(number), sha256=tile.sha256 * 8)
        for number, tile in enumerate(drawn.tiles)
    ]
    tiles = replace(drawn, tiles=tuple(sorted(named, key=lambda tile: tile.id)))
    small = protocol.Protocol(tiles, {id_of(n): n // 5 for n in range(15)})
    compute = ComputeParams(seed=0, threads=1, device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "RESULTS", folder / "results")
        for name, flips in (("plain", False), ("flipped", True)):
            for number in range(3):
                setting = tiny_setting(name, flips)
                run = fold.Run(name, number, 0)
                fold.run_fold(run, setting, None, small, compute, folder / "work")
        for exposure, number in ((1, 1), (2, 0)):
            run = fold.Run("plain", number, 0, left_out=exposure)
            fold.run_fold(run, tiny_setting("plain", False), None, small, compute, folder / "work")
        run = fold.Run("plain", 2, 0, leaks=True)
        fold.run_fold(run, tiny_setting("plain", False), None, small, compute, folder / "work")
    return folder / "results"


def id_of(number: int) -> str:
    return f"exp{1 + number % 2}_num_{number:02}"


def tiny_setting(name: str, flips: bool) -> settings.Setting:
    known = settings.read_setting(settings.setting_names()[0])
    start = "plain" if flips else None
    changes = {"name": name, "flips": flips, "start": start, "train": train_params(epochs=2)}
    return replace(known, **changes)


@pytest.fixture
def read(done: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., results.FoldedTable]:
    monkeypatch.setattr(fold, "RESULTS", done)
    monkeypatch.setattr(results, "RESULTS", done)
    monkeypatch.setattr(results, "CLASSES", CLASSES)
    monkeypatch.setattr(table, "CLASSES", CLASSES)
    return results.read_table


def test_every_picture_is_in_test_once_and_in_valid_once(read: Callable[..., results.FoldedTable]):
    for part in fold.PARTS:
        rows = read("plain", 0, range(3), part)
        assert rows.ids == tuple(sorted(map(id_of, range(15))))
        assert np.bincount(rows.fold).tolist() == [5, 5, 5]
    assert results.seeds_done("plain", 3) == [0]
    assert results.seeds_done("plain", 4) == []


def test_pixels_are_pooled_and_rankings_are_the_mean_of_the_folds(
    read: Callable[..., results.FoldedTable],
):
    rows = read("plain", 0, range(3), "test")
    found = results.score_setting([rows])
    confusion = rows.table.confusion.sum(axis=0)
    overlap = [
        confusion[k, k] / (confusion[k].sum() + confusion[:, k].sum() - confusion[k, k])
        for k in (1, 2)
    ]
    assert found["iou_macro"].value == pytest.approx(np.mean(overlap))
    each = [
        roc_auc_score(rows.table.defect[rows.fold == f], rows.table.score[rows.fold == f])
        for f in range(3)
    ]
    assert found["image_auroc"].value == pytest.approx(np.mean(each))
    assert found["iou_macro"].low <= found["iou_macro"].value <= found["iou_macro"].high
    assert found["iou_macro"].deviation is None


def test_pixels_come_from_the_plain_rows_and_verdicts_from_the_operating_point(
    read: Callable[..., results.FoldedTable],
):
    rows = read("plain", 0, range(3), "test")
    each: dict[str, dict[str, Any]] = {kind: {} for kind in fold.KINDS}
    for number in range(3):
        for kind in fold.KINDS:
            each[kind] |= results.read_rows(fold.Run("plain", number, 0), "test", kind)
    plain, operating = each["plain"], each["operating"]
    assert plain != operating
    for index, name in enumerate(rows.ids):
        assert rows.table.confusion[index].ravel().tolist() == list(plain[name].confusion)
        assert rows.table.score[index] == operating[name].score
        rejected = not operating[name].is_defect and operating[name].verdict == "reject"
        assert rows.table.false_alarm[index] == rejected


def test_two_seeds_give_their_mean_and_their_spread(read: Callable[..., results.FoldedTable]):
    tables = [read(name, 0, range(3), "test") for name in ("plain", "flipped")]
    each = [results.score_setting([one])["dice_pooled"].value for one in tables]
    both = results.score_setting(tables)["dice_pooled"]
    assert both.value == pytest.approx(np.mean(each))
    assert both.deviation == pytest.approx(np.std(each, ddof=1))


def test_a_setting_whose_start_is_not_done_is_judged_against_the_one_before(
    read: Callable[..., results.FoldedTable], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(table, "FOLDS", 3)
    between = replace(tiny_setting("between", False), start="plain")
    monkeypatch.setattr(table, "read_setting", {"between": between}.__getitem__)
    valid, setting = read("flipped", 0, range(3), "valid"), tiny_setting("flipped", True)
    told = table.against(setting, valid)
    assert told is not None
    assert told["setting"] == "plain"
    assert table.against(replace(setting, start="between"), valid) == told


def test_the_table_judges_a_setting_by_the_valid_parts(
    read: Callable[..., results.FoldedTable], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(table, "FOLDS", 3)
    each = [f"{score}_{name}" for score in ("iou", "escape_rate") for name in CLASSES]
    shown = (*markdown_tables.OVERALL, *each)
    for module in (table, markdown_tables):
        monkeypatch.setattr(module, "SHOWN", shown)
        monkeypatch.setattr(module, "CLASSES", CLASSES)
    rows = [
        table.describe(tiny_setting("plain", False)),
        table.describe(tiny_setting("flipped", True)),
    ]
    assert rows[0]["against"] is None
    told = rows[1]["against"]["iou_macro"]
    gained = rows[1]["valid"]["iou_macro"]["value"] - rows[0]["valid"]["iou_macro"]["value"]
    assert told["difference"] == pytest.approx(gained, abs=2e-6)
    assert told["verdict"] in {"better", "worse", "can't tell"}
    lines = "\n".join(markdown_tables.markdown(rows))
    stale = f"a\n{markdown_tables.START}\nstale\n{markdown_tables.END}\nb"
    page = markdown_tables.insert(stale, lines)
    assert "| flipped | 1 |" in page
    best = max(rows, key=lambda row: row["valid"]["iou_macro"]["value"])
    assert f"| {best['setting']}, fold | macro IoU |" in page
    first = next(line for line in page.splitlines() if line.startswith("| 0 |")).split(" | ")
    test = read(best["setting"], 0, [0], "test")
    value = test.scores(np.ones((1, len(test.ids))))["iou_macro"][0]
    assert float(first[1]) == pytest.approx(value, abs=5e-4)
    shown_by = set(zip(test.table.defect_class, test.surfaces, strict=True))
    assert first[-1].endswith(f" of {sum(name == CLASSES[-1] for name, _ in shown_by)} |")
    whole = read(best["setting"], 0, range(3), "test").table.confusion.sum(axis=0)
    taken = " | ".join(f"{100 * count / whole[1].sum():.1f} %" for count in whole[1])
    assert f"| {CLASSES[0]} | {taken} |" in page
    accepted = markdown_tables.show(best["test"][f"escape_rate_{CLASSES[-1]}"])
    after = page[page.index("| setting, escapes |") :].splitlines()
    assert next(line for line in after if line.startswith(f"| {best['setting']} |")).endswith(
        f" | {accepted} |"
    )
    assert "stale" not in page
    assert page.startswith("a\n") and page.endswith("\nb")


def test_an_unseen_exposure_is_compared_with_the_same_pictures_seen(
    read: Callable[..., results.FoldedTable], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(table, "FOLDS", 3)
    assert table.exposures_done("plain") == [1, 2]
    rows = list(table.describe_exposures("plain"))
    unseen = fold.Run("plain", 0, 0, left_out=2)
    assert table.ids_of(unseen) == {"exp2_num_01", "exp2_num_03"}
    found = [(told["exposure"], told["folds"], told["pictures"]) for told in rows]
    assert found == [("1", [1], 2), ("2", [0], 2), ("all", [0, 1], 4)]
    for told in rows:
        gained = told["not seen"]["dice_pooled"]["value"] - told["seen"]["dice_pooled"]["value"]
        assert told["against"]["dice_pooled"]["difference"] == pytest.approx(gained, abs=2e-6)
    lines = list(markdown_tables.exposure_lines([{"setting": "plain", "exposures": rows}]))
    assert lines[-1].startswith("| plain | all | 0, 1 | 4 | ")
    assert len({line.count("|") for line in lines[1:]}) == 1


def test_a_random_split_is_compared_with_the_same_pictures_by_models_that_keep_surfaces_apart(
    read: Callable[..., results.FoldedTable], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(table, "FOLDS", 3)
    assert table.describe_leak("flipped") is None
    told = table.describe_leak("plain")
    known = read_leaking()
    apart = read("plain", 0, range(3), "test")
    among = np.isin(apart.ids, known.ids)[None].astype(float)
    assert (told["folds"], told["pictures"]) == ([2], len(known.ids))
    assert 0 < among.sum() < 15
    value = told["surfaces apart"]["dice_pooled"]["value"]
    assert value == pytest.approx(apart.scores(among)["dice_pooled"][0], abs=1e-6)
    gained = told["random split"]["dice_pooled"]["value"] - value
    assert told["against"]["dice_pooled"]["difference"] == pytest.approx(gained, abs=2e-6)
    lines = list(markdown_tables.leak_lines([{"setting": "plain", "leak": told}]))
    assert lines[-1].startswith(f"| plain | 2 | {len(known.ids)} | ")
    assert list(markdown_tables.leak_lines([{"setting": "flipped", "leak": None}])) == []


def read_leaking() -> results.FoldedTable:
    return results.read_models([(fold.Run("plain", 2, 0, leaks=True), None)], "test")


def test_the_reference_learner_has_a_row_for_each_way_of_scoring(
    read: Callable[..., results.FoldedTable], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(markdown_tables, "RESULTS", tmp_path)
    best: dict[str, Any] = {"setting": "light", "folds": []}
    for number in range(5):
        best["folds"].append({"fold": number} | dict.fromkeys(markdown_tables.REFERENCE, 0.5))
    assert list(markdown_tables.reference_lines(best)) == []
    ends = {"low": 0.1, "high": 0.3}
    own = {"dice_pooled": 0.2, "interval": ends}
    ours = {"dice_pooled": 0.15, "image_auroc": None, "interval": {"dice_pooled": ends}}
    facts = {
        "recipe": {"epochs": 6, "learning_rate": 0.02, "frozen_first": False, "bfloat16": True},
        "split": "3",
        "scores": {"own": own, "ours": ours},
    }
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference/one.json").write_text(json.dumps(facts))
    *lines, ours_beside = markdown_tables.reference_lines(best)
    assert ours_beside == "| light | surfaces, fold 3 | our way | 0.500 | 0.500 | 0.500 | 0.500 |"
    start = "| 6 epochs at 0.02, all layers at once, bfloat16 | surfaces, fold 3 |"
    assert lines[-2] == f"{start} its way | 0.200 (0.100 – 0.300) |  |  |  |"
    assert lines[-1] == f"{start} our way | 0.150 (0.100 – 0.300) | undefined |  |  |"


PRECISIONS = (("fp32", 1), ("int8", 2))  # twice as fast


def test_the_time_of_each_network_is_told_beside_the_yardstick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(markdown_tables, "RESULTS", tmp_path)
    assert list(markdown_tables.speed_lines()) == []
    networks = []
    for name, ms in (("light", 8), ("large", 40)):
        times = {how: {"p50_ms": ms / d, "p10_ms": 1, "p90_ms": 99} for how, d in PRECISIONS}
        networks.append({"name": name, "parameters": 2_000_000} | times)
    told = {"setting": {"threads": 2}, "networks": networks}
    (tmp_path / "speed.json").write_text(json.dumps(told))
    lines = list(markdown_tables.speed_lines())
    assert lines[1].startswith("| network | size | float32, 2 threads | INT8, 2 threads |")
    ends = "(1.0 – 99.0)"
    assert lines[3] == f"| light | 2.00 M | 8.0 ms {ends} | 4.0 ms {ends} | 5.0 ×, INT8 10.0 × |"
    assert lines[4].endswith("| 1.0 ×, INT8 2.0 × |")


def test_an_early_look_is_at_the_valid_parts_of_the_folds_that_all_have_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(results, "DRAWS", 20)
    monkeypatch.setattr(sys, "argv", ["early.py", "longer", "imagenet"])
    early.main()
    said = capsys.readouterr().out
    folds = early.folds_of_all(["longer", "imagenet"])
    assert said.startswith(f"folds {', '.join(map(str, folds))}, seed 0, valid")
    table_of_longer = results.read_table("longer", 0, folds, "valid")
    value = table_of_longer.scores(np.ones((1, len(table_of_longer.ids))))["iou_macro"][0]
    assert f"| iou_macro | {value:.3f} (" in said
    assert "\nimagenet against longer: iou_macro " in said
    monkeypatch.setattr(sys, "argv", ["early.py", "longer", "small"])
    with pytest.raises(SystemExit, match=r"no fold has been done for longer and small; run\.py"):
        early.main()


@pytest.mark.parametrize("script", ["run_reference.py", "pareto.py"])
def test_a_script_starts_by_the_command_of_the_docs(script: str):
    done = subprocess.run(
        [sys.executable, BENCHMARK / script, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--source" in done.stdout


def test_the_committed_tables_are_current():
    done = subprocess.run(
        [sys.executable, BENCHMARK / "table.py", "--check"],
        cwd=BENCHMARK.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
