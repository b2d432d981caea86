"""Stage check_packages: pyproject.toml and the installed packages → requirements.txt."""

import sys
from pathlib import Path

sys.path.append(
    str(Path(__file__).parents[1])
)  # outside .venv nobody else knows where defectseg is

import defectseg.stage
from defectseg.packages import OnMismatch, check_packages, read_packages

PROJECT = Path("pyproject.toml")
EXTRA = "pipeline"
REQUIREMENTS = Path("requirements.txt")


def main() -> None:
    packages = read_packages(PROJECT, [EXTRA])
    check = check_packages(packages, REQUIREMENTS, read_on_mismatch())
    print(f"check_packages: {check.summary()}")


def read_on_mismatch() -> OnMismatch:
    """Read params.yaml, which needs packages of its own: import them only once all are there."""
    from defectseg.params import Section, read_params

    class CheckParams(Section):
        """params.yaml: check_packages."""

        on_mismatch: OnMismatch

    return read_params("check_packages", CheckParams).on_mismatch


if __name__ == "__main__":
    defectseg.stage.run_stage(main)
