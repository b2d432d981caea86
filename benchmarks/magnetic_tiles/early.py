"""Compare settings on the folds that all of them have done, by the valid parts alone.

For a decision before all folds are trained: on few folds the intervals are wide. The first setting
is what the others are compared with.
"""

import argparse

from markdown_tables import JUDGED, SHOWN, header, show, show_change
from settings import add_settings
from table import judge, runs_done, to_json

from defectseg.errors import DefectsegError
from results import compare_settings, read_table, score_setting

PART = "valid"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_settings(parser)
    chosen = parser.parse_args().settings
    folds = folds_of_all(chosen)
    if not folds:
        raise SystemExit(f"no fold has been done for {' and '.join(chosen)}; run.py trains them")
    print(f"folds {', '.join(map(str, folds))}, seed 0, {PART}\n")
    tables = [read_table(name, 0, folds, PART) for name in chosen]
    shown = [to_json(score_setting([table]), SHOWN) for table in tables]
    print("\n".join(header("", *chosen)))
    for name in SHOWN:
        print(f"| {name} | {' | '.join(show(scores[name]) for scores in shown)} |")
    for name, table in zip(chosen[1:], tables[1:], strict=True):
        found = compare_settings(tables[0], table)
        told = [f"{score} {show_change(judge(found[score]))}" for score in JUDGED]
        print(f"\n{name} against {chosen[0]}: {'; '.join(told)}")


def folds_of_all(names: list[str]) -> list[int]:
    """The folds that every one of the settings has done."""
    return sorted(set.intersection(*({run.fold for run in runs_done(name)} for name in names)))


if __name__ == "__main__":
    try:
        main()
    except DefectsegError as error:
        raise SystemExit(f"error: {error}") from error
