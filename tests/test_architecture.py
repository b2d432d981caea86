"""The architecture: what docs and STYLE promise about the code, read from its text."""

import ast
import re
import sys
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from reach import (
    PACKAGE,
    ROOT,
    SRC,
    imported_names,
    imports,
    modules,
    name_of,
    packages_of,
    parse,
    reached,
    stages,
)

# Lower layers first: a module may import its own package and what lies in layers before it.
LAYERS = (
    {"errors"},
    {"guard", "heap", "machine"},
    {"confusion", "files", "overlay", "params", "provenance", "requirement", "stage"},
    {"determinism", "packages", "run_record"},
    {"data"},
    {"pixels"},
    {"network"},
    {"inference"},
    {"evaluation"},
    {"export"},
    {"service"},
    {"storage"},
    {"revisions"},
    {"experiments"},
    {"comparison"},
    {"verification"},
    {"registry"},
    {"commands"},
    {"cli"},
)
HEAVY = {"fastai", "segmentation_models_pytorch", "timm", "torch", "torchvision"}
LIGHT = (
    "cli.py",
    "commands/bench.py",
    "commands/export.py",
    "commands/predict.py",
    "commands/serve.py",
    "inference/bench/worker.py",
    "inference/onnx_engine.py",
    "inference/open_engine.py",
    "inference/openvino_engine.py",
    "inference/predictor.py",
    "inference/result.py",
    "inference/stream/predict_stream.py",
    "service/app.py",
    "service/openapi.py",
    "service/server.py",
)
PICKLERS = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
PICKLING = re.compile(r"torch\.(load|save)\b|allow_pickle|load_learner|\.to_pickle|\.read_pickle")
VAGUE = {"common", "helper", "helpers", "misc", "util", "utils"}
ONE_SCREEN, STAGE_LINES, FILE_LINES = 40, 40, 400
FILES = [*modules(), *stages()]
IMPORTS = (ast.Import, ast.ImportFrom)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def part_of(path: Path) -> str:
    """A package or a lone module below defectseg: what a layer names."""
    return path.relative_to(SRC / PACKAGE).parts[0].removesuffix(".py")


def layer_of(path: Path) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part_of(path) in layer)


def test_every_module_has_its_layer():
    assert {part_of(path) for path in modules()} == set().union(*LAYERS)
    assert sum(map(len, LAYERS)) == len(set().union(*LAYERS))


def test_imports_point_one_way():
    wrong = [
        f"{name_of(path)} imports {name_of(other)}"
        for path in modules()
        for other in imports(path)
        if part_of(other) != part_of(path) and layer_of(other) >= layer_of(path)
    ]
    assert wrong == []


def test_no_modules_import_each_other():
    TopologicalSorter({path: imports(path) for path in modules()}).prepare()


def test_the_library_knows_nothing_of_the_stages():
    assert "stages" not in packages_of(modules())


@pytest.mark.parametrize("module", LIGHT)
def test_what_serving_needs_never_reaches_the_training_packages(module: str):
    assert packages_of(reached(SRC / PACKAGE / module)) & HEAVY == set()


def test_checking_the_packages_needs_only_the_standard_library_until_params_are_read():
    late = SRC / PACKAGE / "params.py"  # imported by name in the function that needs it
    early = reached(SRC / PACKAGE / "packages.py") | reached(SRC / PACKAGE / "stage.py")
    assert late not in early
    # The guard does without yaml where it is missing: tests/test_guard.py.
    assert packages_of(early) - sys.stdlib_module_names == {PACKAGE, "yaml"}


def test_nothing_is_pickled():
    assert packages_of(FILES) & PICKLERS == set()
    found = [path.name for path in FILES if PICKLING.search(ast.unparse(parse(path)))]
    assert found == []


def test_every_name_has_one_import_path():
    inits = [
        path for path in SRC.rglob("__init__.py") if packages_of([path]) or parse(path).body[1:]
    ]
    assert inits == []
    for path in FILES:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                place = SRC / Path(*str(node.module).split("."))
                assert place.with_suffix(".py").is_file(), f"{path.name}: {node.module}"
                assert {alias.name for alias in node.names} <= defined_in(place.with_suffix(".py"))


def defined_in(path: Path) -> set[str]:
    """The names that a module makes itself, those that it only imports left out."""
    names: set[str] = set()
    for node in parse(path).body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def test_no_module_has_a_vague_name():
    parts = {part.removesuffix(".py") for path in FILES for part in path.relative_to(SRC).parts}
    assert parts & VAGUE == set()


def test_no_stage_has_the_name_of_a_package_that_can_be_imported():
    # A script's own directory comes first on sys.path: it would be imported instead of the package.
    taken = set(packages_distributions()) | sys.stdlib_module_names
    assert {path.stem for path in stages()} & taken == set()


def test_there_is_a_script_for_each_of_the_six_stages():
    named = {"check_packages", "data_load", "data_split", "train", "evaluate", "export"}
    assert {path.stem for path in stages()} == named


def test_every_file_opens_with_one_sentence():
    for path in FILES:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert re.fullmatch(r'""".+[.:]("""|)', first), f"{path}: {first}"


def test_files_and_functions_stay_small():
    too_long = []
    for path in FILES:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        limit = STAGE_LINES if path in stages() else FILE_LINES
        if lines > limit:
            too_long.append(f"{path.relative_to(ROOT)}: {lines} lines, at most {limit}")
        for node in ast.walk(parse(path)):
            if isinstance(node, FUNCTIONS):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > ONE_SCREEN:
                    where = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
                    too_long.append(f"{where}: {lines} lines, at most {ONE_SCREEN}")
    assert too_long == []


def test_nothing_happens_when_a_module_is_imported():
    quiet = (*IMPORTS, *FUNCTIONS, ast.ClassDef, ast.Assign, ast.AnnAssign)
    for path in modules():
        loud = [ast.unparse(node) for node in parse(path).body[1:] if not isinstance(node, quiet)]
        assert loud == [], path


def test_a_stage_runs_only_as_a_script():
    for path in stages():
        guarded, call = ast.unparse(parse(path).body[-1]).split("\n")
        assert guarded == "if __name__ == '__main__':"
        assert re.fullmatch(r"    defectseg\.stage\.run_stage\(main(, finish)?\)", call), path


def test_a_stage_notes_its_dependencies_before_any_module_of_ours_is_read():
    for path in stages():
        ours = [name for name in imported_names(path) if name.split(".")[0] == PACKAGE]
        assert ours[0] == "defectseg.stage", path
