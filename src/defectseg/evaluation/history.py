"""The folder that DVCLive wrote while training in, the value of each metric in each epoch out."""

import csv
from pathlib import Path

from defectseg.errors import DataError

PLOTS = Path("plots/metrics")


def read_history(folder: Path) -> dict[str, list[float]]:
    """Read every metric, such as train_loss or valid_dice, in the order of the epochs.

    Raises:
        DataError: A file is damaged.
    """
    history = {}
    for path in sorted((folder / PLOTS).glob("*.tsv")):
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file, delimiter="\t"))
            history[path.stem] = [float(row[path.stem]) for row in rows]
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise DataError(
                f"{path} is no log of a training: {error!r}; run train again"
            ) from error
    return history
