"""A VAE that is quick with one dog.

oneDNN, which computes convolutions on a CPU, wants their weights in an order of its own. Given torch's, it
makes that order anew at every call, which is a seventh of a decode at batch 1.
"""

import copy

import torch
from torch import Tensor, nn

from .vae import DogVAE

FUNCTIONS = "_reorder_convolution_weight", "_convolution_pointwise"  # of torch's own compiler


class PackedConv(nn.Module):
    """An nn.Conv2d whose weights are in oneDNN's order. The best one depends on the size of what is convolved: it is
    made for the first call, and serves the others."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.conv, self.weight = conv, None
        self.how = list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups

    def forward(self, x: Tensor) -> Tensor:
        if self.weight is None:
            self.weight = torch.ops.mkldnn._reorder_convolution_weight(self.conv.weight, *self.how, list(x.shape))
        return torch.ops.mkldnn._convolution_pointwise(x, self.weight, self.conv.bias, *self.how, "none", [], "")


def packed(vae: DogVAE) -> DogVAE:
    """The same VAE for decoding on a CPU, which shares all but what it packs with the given one (16 MB of dogvae in
    bfloat16). Elsewhere, and where torch has not these functions, that one itself."""
    if vae.device.type != "cpu" or not all(hasattr(torch.ops.mkldnn, name) for name in FUNCTIONS):
        return vae
    shared = [*vae.parameters(), *vae.buffers(), vae.latents]
    vae = copy.deepcopy(vae, {id(part): part for part in shared})
    for module in list(vae.decoder.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d):
                setattr(module, name, PackedConv(child))
    vae.decode(torch.zeros(1, vae.config.latent_dim))  # packs for one dog, as the page draws them
    return vae
