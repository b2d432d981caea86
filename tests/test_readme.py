"""readme: how to run the files, tried out as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from defectseg.export.readme import as_cell, number, write_readme
from defectseg.inference.onnx_engine import OnnxEngine
from export_facts import differ, facts_of, good, offer
from exported import draw_pictures, exported
from tiny import CLASSES, network_params


def readme(folder: Path, *offers: object, **facts: object) -> str:
    write_readme(folder / "README.md", facts_of(*offers, **facts))  # type: ignore[arg-type]
    return (folder / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def test_it_says_what_goes_in_and_what_comes_out(tmp_path: Path):
    text = readme(tmp_path, good("fp32", "a", "b"), classes=("a", "b"))
    assert "in: `pictures` | uint8 (N, H, W, 1) | grey pictures" in text
    assert "out: `probability` | float32 (N, 3, H, W)" in text
    assert "0 = background, 1 = a, 2 = b |" in text
    assert "ONNX opset 20" in text


def test_files_and_variants_are_listed_with_what_each_loses(tmp_path: Path):
    weak = offer(differ("int8", "openvino", dice_drop=0.0061, verdicts_changed=0.005))
    text = readme(tmp_path, good("fp32"), good("int8"), weak)
    assert "| `unet.onnx` | float32 | 8.0 MB | ONNX Runtime |" in text
    assert (
        "| `variants/unet.int8.onnx` | 8-bit integers, for CPUs | 2.0 MB | ONNX Runtime |" in text
    )
    assert "| int8 | ONNX Runtime | 0.0000 | 0.0000 | 0.000 % | 0.00 % | yes |" in text
    assert (
        "| int8 | OpenVINO | 0.0061 | 0.0000 | 0.000 % | 0.50 % | "
        "no: Dice drops by 0.0061, at most 0.005 is allowed |"
    ) in text


def test_there_is_a_snippet_for_each_language(tmp_path: Path):
    text = readme(tmp_path, good("fp32"))
    assert [len(blocks(text, language)) for language in ("python", "cpp", "js")] == [1, 1, 1]
    assert len(text.splitlines()) < 100


NARROW = """
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {"numpy", "onnxruntime", "PIL"} | sys.stdlib_module_names:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Nowhere())
try:
    import torch
except ImportError:
    pass
else:
    sys.exit("torch can be imported: this test proves nothing")
exec(compile(sys.argv[1], "README.md", "exec"))
"""


@pytest.mark.parametrize("channels", [1, 3])
def test_the_python_snippet_runs_as_it_stands(channels: int, tmp_path: Path):
    info = {"network": network_params(in_channels=channels)}
    text = readme(tmp_path, good("fp32", *CLASSES), classes=CLASSES, **info)
    (snippet,) = blocks(text, "python")
    picture = draw_pictures(1, 70, 90, channels)[0]
    Image.fromarray(picture.squeeze()).save(tmp_path / "picture.png")
    (tmp_path / "unet.onnx").write_bytes(exported(channels).read_bytes())
    command = [sys.executable, "-c", NARROW, snippet]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    said = OnnxEngine(exported(channels), threads=1).run(picture[None])
    for index, (name, line) in enumerate(zip(CLASSES, lines, strict=True), start=1):
        assert line[0] == name
        assert abs(int(line[1]) - int((said.mask[0] == index).sum())) <= 2
        assert float(line[-1]) == pytest.approx(said.probability[0, index].max(), abs=1e-4)
    assert np.unique(said.mask).size > 1


def test_a_hostile_class_name_breaks_no_table(tmp_path: Path):
    name = "a|b\n<img src=x>`"
    text = readme(tmp_path, good("fp32", name), classes=(name,))
    (row,) = (line for line in text.splitlines() if line.startswith("| out: `mask`"))
    assert row.endswith(r"1 = a\|b \<img src=x\>\` |")


def test_the_same_facts_give_the_same_text(tmp_path: Path):
    assert readme(tmp_path, good("fp32")) == readme(tmp_path, good("fp32"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.12345, "0.1235"), (-0.5, "-0.5000"), (-0.00001, "0.0000"), (0.0, "0.0000")],
)
def test_numbers_have_four_digits(value: float | None, shown: str):
    assert number(value) == shown


def test_a_plain_name_stays_as_it_is():
    assert as_cell("blow hole 2") == "blow hole 2"
