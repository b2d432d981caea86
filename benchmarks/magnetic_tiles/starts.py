"""A setting in, what its training starts from out: ImageNet weights, then drawn tiles."""

from pathlib import Path

from imagenet import provide
from pretrain import pretrain
from settings import Setting, read_setting

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
    return pretrain(setting.pretrain, train, compute, work)
