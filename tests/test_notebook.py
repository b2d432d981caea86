"""notebooks/explore.ipynb runs from the first cell to the last in a project that has run."""

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from ran_project import ROOT, Clone, copy_project

NOTEBOOK = Path("notebooks/explore.ipynb")


def read_notebook() -> Any:
    return nbformat.read(ROOT / NOTEBOOK, as_version=4)


def test_the_notebook_is_kept_without_outputs_and_for_any_python_kernel():
    notebook = read_notebook()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "version" not in notebook.metadata.language_info


def test_the_notebook_names_no_place_of_one_machine():
    text = (ROOT / NOTEBOOK).read_text(encoding="utf-8")
    assert not re.search(r"[\"' (]/(home|Users|root|tmp|work)/", text)


@pytest.fixture(scope="module")
def executed(ran_project: Clone, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook after it ran in its own folder of a project that has run."""
    clone = copy_project(ran_project, tmp_path_factory.mktemp("notebook") / "project")
    shutil.copytree(ROOT / NOTEBOOK.parent, clone.folder / NOTEBOOK.parent, dirs_exist_ok=True)
    before = clone.out_of("git", "status", "--porcelain")
    notebook = read_notebook()
    place = {"metadata": {"path": str(clone.folder / NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=place).execute(
        env=clone.environment | {"PYTHONPATH": str(ROOT / "src")}
    )
    assert clone.out_of("git", "status", "--porcelain") == before
    return notebook


def printed(notebook: Any) -> str:
    return "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_notebook_runs_in_a_project_that_has_run_and_shows_its_data(
    executed: Any, ran_project: Clone
):
    text = printed(executed)
    manifest = (ran_project.folder / "data/tiles/manifest.csv").read_text(encoding="utf-8")
    assert f"{len(manifest.splitlines()) - 1} tiles; classes: " in text
    assert "surfaces that both train and test have: 0" in text
    scores = ran_project.json_of("metrics/evaluate.json")
    assert f"dice_pooled        {scores['dice_pooled']:.3f} (" in text


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_notebook_draws_tiles_predictions_worst_pictures_and_intervals(executed: Any):
    drawn = [
        output
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output.output_type == "display_data" and "image/png" in output.data
    ]
    assert len(drawn) == 4
    assert all(output.output_type != "error" for output in drawn)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_notebook_writes_nothing_on_the_error_stream(executed: Any):
    assert [
        output.text
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ] == []
