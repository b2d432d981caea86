"""A setting in, what its training needs out: ImageNet weights, drawn tiles, weights of those."""

from pathlib import Path

from imagenet import provide
from pretrain import draw, pretrain
from settings import Setting, read_setting

from defectseg.data.beside import BesideParams
from defectseg.determinism import ComputeParams
from defectseg.network.training import ModelFiles


def start_of(setting: Setting, compute: ComputeParams, work: Path) -> ModelFiles | None:
    """The weights that all folds of a setting start from, made now if they are not there.

    None: the setting trains on no drawn tiles first. The file that its encoder begins with is
    there afterwards in any case.
    """
    network = setting.train.network
    if network.encoder_weights:
        provide(network.encoder.removeprefix("tu-"), Path(network.encoder_weights))
    if setting.pretrain is None:
        return None
    print(f"{setting.name}: on drawn tiles first", flush=True)
    train = read_setting(setting.pretrained_as).train
    beside_of(setting, work)  # now: trainings at once would draw them at once
    return pretrain(setting.pretrain, train, compute, work)


def beside_of(setting: Setting, work: Path) -> BesideParams:
    """The drawn tiles that a setting learns from as well, drawn now if they are not there."""
    if not (setting.pretrain and setting.drawn_share):
        return setting.train.beside
    drawn, _ = draw(setting.pretrain, work)
    return BesideParams(tiles=str(drawn.folder), share=setting.drawn_share)
