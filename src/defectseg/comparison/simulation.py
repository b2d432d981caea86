"""Nothing in, what two simulated models say of one simulated test part out: to test a verdict by.

Surfaces differ in how hard they are, pictures of one surface less, and each training of the same
network errs by itself on each surface and each picture. Drawn are the rows of per_image.csv: pixels
found, missed and false, and the score of the picture. Two seeds of one model share all but their
errors; a regression shares the errors too and lowers what it is planted in.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from defectseg.comparison.ranked import RankedTable
from defectseg.confusion import any_defect
from defectseg.data.tile import CLEAN

Float = npt.NDArray[np.float64]
CLASSES = ("blowhole", "break", "crack", "fray", "uneven")
SHARES = (0.35, 0.25, 0.2, 0.15, 0.05)  # of the defect surfaces: the last class is rare
AREAS = (60.0, 300.0, 120.0, 700.0, 2000.0)  # median pixels of a defect of each class
PICTURE = 9216  # pixels, 96 × 96
REJECT = 0.5  # the score from which a picture is rejected
REVIEW = 0.4


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the logit of how well a picture is done."""

    surface: float = 1.0  # hard and easy surfaces: the same for all models
    picture: float = 0.5  # pictures of one surface: the same for all models
    seed_surface: float = 0.5  # what one training gets right of a surface and another does not
    seed_picture: float = 0.5  # … and of a picture


@dataclass(frozen=True)
class Part:
    """A simulated test part of n pictures."""

    surfaces: tuple[str, ...]  # (n,)
    kind: npt.NDArray[np.int_]  # (n,) 0 = clean, k = the k-th class
    area: Float  # (n,) true defect pixels
    hardness: Float  # (n,) logit, higher = easier


def draw_part(draw: np.random.Generator, surfaces: int = 80, noise: Noise | None = None) -> Part:
    """Half of the surfaces are clean; each was photographed one to six times."""
    spread = noise or Noise()
    kinds = np.where(draw.random(surfaces) < 0.5, 0, 1 + draw.choice(5, surfaces, p=SHARES))
    pictures = draw.integers(1, 7, surfaces)
    index = np.repeat(np.arange(surfaces), pictures)
    kind = kinds[index]
    median = np.array([0.0, *AREAS])[kind]
    grown = median * np.exp(draw.normal(0, 0.6, surfaces)[index] + draw.normal(0, 0.3, len(index)))
    hardness = draw.normal(0, spread.surface, surfaces)[index]
    hardness = hardness + draw.normal(0, spread.picture, len(index))
    names = tuple(f"s{number:03}" for number in index)
    return Part(names, kind, np.minimum(grown, PICTURE / 2).round(), hardness)


def draw_model(part: Part, draw: np.random.Generator, noise: Noise | None = None) -> RankedTable:
    """What one training says of the part."""
    spread = noise or Noise()
    surfaces = np.unique(part.surfaces, return_inverse=True)[1]
    own = draw.normal(0, spread.seed_surface, surfaces.max() + 1)[surfaces]
    logit = part.hardness + own + draw.normal(0, spread.seed_picture, len(surfaces))
    found = _sigmoid(1.2 + logit)  # of the true pixels
    is_defect = part.kind > 0
    alarm = _sigmoid(-1.8 - 1.2 * logit)  # false pixels: more where the picture is hard
    false = np.where(is_defect, 0.15 * part.area, 60.0 * (alarm > 0.3)) * 2 * alarm
    score = np.where(is_defect, _sigmoid(2.0 + 1.5 * logit), alarm)
    return _to_table(part, (part.area * found).round(), false.round(), score)


def plant_missed_pixels(part: Part, table: RankedTable, share: float) -> RankedTable:
    """The same model that finds a share 0..1 fewer of the pixels it found in every picture."""
    tp = any_defect(table.confusion).tp
    false = any_defect(table.confusion).fp
    return _to_table(part, (tp * (1 - share)).round(), false, table.score)


def plant_wrong_verdicts(
    table: RankedTable, escapes: float, alarms: float, draw: np.random.Generator
) -> RankedTable:
    """The same model, with so much higher rates 0..1 of escapes and false alarms."""
    escape = _switch_on(table.escape, table.defect, escapes, draw)
    alarm = _switch_on(table.false_alarm, ~table.defect, alarms, draw)
    return replace(table, escape=escape, false_alarm=alarm)


def _switch_on(
    values: npt.NDArray[np.bool_],
    among: npt.NDArray[np.bool_],
    share: float,
    draw: np.random.Generator,
) -> npt.NDArray[np.bool_]:
    free = np.flatnonzero(among & ~values)
    count = min(len(free), int(np.ceil(share * among.sum())))
    switched = values.copy()
    switched[draw.choice(free, count, replace=False)] = True
    return switched


def _to_table(part: Part, tp: Float, false: Float, score: Float) -> RankedTable:
    size, every = 1 + len(CLASSES), np.arange(len(part.kind))
    is_defect, said = part.kind > 0, np.where(part.kind > 0, part.kind, 1)
    confusion = np.zeros((len(part.kind), size, size))
    confusion[every, part.kind, said] += np.where(is_defect, tp, 0)
    confusion[every, part.kind, 0] += np.where(is_defect, part.area - tp, 0)
    confusion[every, 0, said] += false
    confusion[:, 0, 0] += PICTURE - confusion.sum(axis=(1, 2))
    overlap = any_defect(confusion)
    iou = np.nan_to_num(overlap.iou)
    lone = (~is_defect) & (false > 0)
    found = [is_defect, is_defect & (iou >= 0.3), is_defect & (iou >= 0.5), lone]
    return RankedTable(
        confusion=confusion,
        dice=overlap.dice,
        score=score,
        defect_class=np.array([CLEAN, *CLASSES])[part.kind],
        defect=is_defect,
        escape=is_defect & (score < REVIEW),
        false_alarm=~is_defect & (score >= REJECT),
        review=(score >= REVIEW) & (score < REJECT),
        found=np.stack(found, axis=1).astype(float),
    )


def _sigmoid(values: Float) -> Float:
    return np.asarray(1 / (1 + np.exp(-values)), dtype=float)
