"""pyproject.toml and .venv in, requirements-service.txt out: what the service installs, exactly.

The versions are those of .venv, which has the pipeline's: both install the same ones.
"""

from pathlib import Path

from defectseg.packages import check_packages, read_packages

PROJECT = Path("pyproject.toml")
REQUIREMENTS = Path("requirements-service.txt")
EXTRA = "service"


def main() -> None:
    packages = read_packages(PROJECT, [EXTRA])
    print(check_packages(packages, REQUIREMENTS, "freeze").summary())


if __name__ == "__main__":
    main()
