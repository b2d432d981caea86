"""A network in, the arithmetic of its convolutions for one picture out."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

TRAINING = 3  # times the forward pass: backward costs once for the input and once for the weights


def count_gflop(network: nn.Module, planes: int, size: int) -> float:
    """Of the forward pass; a product and a sum are two. Nothing is computed.

    Backward is not counted by torch: it takes grouped convolutions for full ones there.
    """
    shapes = copy.deepcopy(network).to("meta").eval()  # `to` would empty the network itself
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        shapes(torch.empty(1, planes, size, size, device="meta"))
    return float(counter.get_total_flops()) / 1e9
