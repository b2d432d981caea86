"""A setting of the benchmark in, one DVC experiment of the pipeline out: `make magnetic-tiles`.

What the setting starts from is made first: ImageNet weights are downloaded, and drawn tiles trained
on. An hour of training makes no model to ship, so the gates of the evaluation are open. What
follows `--` goes to `dvc exp run` as it is:

    python benchmarks/magnetic_tiles/experiment.py whole -- -S data_split.fold=1
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence

from protocol import PROTOCOL, SOURCE, WORK
from settings import Setting, read_setting, setting_names
from starts import beside_of, start_of

from defectseg.data.beside import BesideParams
from defectseg.determinism import ComputeParams
from defectseg.errors import DefectsegError, ParamsError
from defectseg.network.training import ModelFiles
from defectseg.params import read_params

NAME = "magnetic-tiles"
# What only the benchmark's own scripts can do.
BEYOND = ("goes_on", "flips", "predict_size")


def main() -> None:
    arguments, further = parse_arguments(sys.argv[1:])
    setting = read_setting(arguments.setting)
    check(setting)
    compute = read_params("compute", ComputeParams)
    start = start_of(setting, compute, WORK)
    beside = beside_of(setting, WORK)
    command = as_command(setting, start, beside, arguments.source, further)
    forget = ["dvc", "exp", "remove", "--quiet", NAME]
    subprocess.run(forget, check=False, stderr=subprocess.DEVNULL)  # there may be none
    raise SystemExit(subprocess.run(command, check=False).returncode)


def parse_arguments(told: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """What is for this script, and what follows `--`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = setting_names()
    parser.add_argument("setting", choices=names, metavar="SETTING", help=", ".join(names))
    parser.add_argument("--source", default=SOURCE, help="default: the public archive")
    end = told.index("--") if "--" in told else len(told)
    return parser.parse_args(told[:end]), told[end + 1 :]


def check(setting: Setting) -> None:
    """Refuse what is more than params.yaml can say.

    Raises:
        ParamsError: The pipeline cannot do what the setting asks for.
    """
    beyond = [name for name in BEYOND if getattr(setting, name)]
    if beyond:
        raise ParamsError(
            f"setting {setting.name} asks for {', '.join(beyond)}, which one experiment of the "
            f"pipeline cannot do; train it with benchmarks/magnetic_tiles/run.py {setting.name}"
        )


def as_command(
    setting: Setting,
    start: ModelFiles | None,
    beside: BesideParams,
    source: str,
    further: Sequence[str],
) -> list[str]:
    """The arguments of `dvc exp run`, those of its caller last."""
    digest = json.loads(PROTOCOL.read_text(encoding="utf-8"))["source_digest"]
    changes = {"data_load.source": source, "data_load.digest": digest} | setting.changes
    changes |= {f"evaluate.gates.{gate}": None for gate in setting.evaluate.gates}
    changes["train.compile"] = False  # the same steps where there is no C++ compiler
    if beside.tiles:
        changes |= {f"train.beside.{key}": value for key, value in beside.model_dump().items()}
    if start:
        changes["train.start_from"] = str(start.weights)
    told = [
        flag
        for change in changes.items()
        for each in as_overrides(*change)
        for flag in ("-S", each)
    ]
    return ["dvc", "exp", "run", "--name", NAME, *told, *further]


def as_overrides(key: str, value: object) -> list[str]:
    """A change of params.yaml in Hydra's grammar; a mapping key by key, where ++ adds what is new.

    Source: https://hydra.cc/docs/advanced/override_grammar/basic/
    """
    if isinstance(value, dict):
        return [f"++{key}.{inner}={as_value(each)}" for inner, each in value.items()]
    return [f"{key}={as_value(value)}"]


def as_value(value: object) -> str:
    """None, a truth value, a number, a string or a list of them."""
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    return json.dumps(value)


if __name__ == "__main__":
    try:
        main()
    except DefectsegError as error:
        raise SystemExit(f"error: {error}") from error
