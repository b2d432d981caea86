"""The routes of the service in, docs/openapi.json out."""

from pathlib import Path

from defectseg.files import write_json
from defectseg.service.openapi import read_contract

CONTRACT = Path("docs/openapi.json")


def main() -> None:
    write_json(CONTRACT, read_contract())
    print(f"{CONTRACT}: written")


if __name__ == "__main__":
    main()
