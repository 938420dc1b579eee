"""A VAE that is quick with one dog.

oneDNN, which computes convolutions on a CPU, wants their weights in an order of its own. Given torch's, it
makes that order anew at every call, which is a seventh of a decode at batch 1. What is left beside the
convolutions are passes over the features, each of which waits for both cores: here they are fewer.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .residual import ResidualBlock
from .vae import DogVAE

FUNCTIONS = "_reorder_convolution_weight", "_convolution_pointwise"  # of torch's own compiler


class PackedConv(nn.Module):
    """An nn.Conv2d whose weights are in oneDNN's order. The best one depends on the size of what is convolved: it is
    made for the first call, and serves the others."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.conv, self.weight = conv, None
        self.how = list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """conv(x), or conv(x) + plus in one pass."""
        if self.weight is None:
            self.weight = torch.ops.mkldnn._reorder_convolution_weight(self.conv.weight, *self.how, list(x.shape))
        convolve, weights = torch.ops.mkldnn._convolution_pointwise, (self.weight, self.conv.bias, *self.how)
        if plus is None:
            return convolve(x, *weights, "none", [], "")
        return convolve.binary(x, plus, *weights, "add", 1.0, None, [], None)


class PackedBlock(nn.Module):
    """What ResidualBlock computes, in four passes fewer."""

    def __init__(self, block: ResidualBlock):
        super().__init__()
        assert block.film is not None  # as in every block of a decoder
        self.norm, self.film = block.norm, block.film
        self.conv1, self.conv2 = PackedConv(block.conv1), PackedConv(block.conv2)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm(x)))
        scale, shift = self.film(z)[:, :, None, None].chunk(2, dim=1)
        return self.conv2(F.silu(torch.addcmul(shift, h, 1 + scale), inplace=True), plus=x)


def packed(vae: DogVAE) -> DogVAE:
    """The same VAE for decoding on a CPU, which shares all but what it packs with the given one (16 MB of dogvae in
    bfloat16). Elsewhere, and where torch has not these functions, that one itself."""
    if vae.device.type != "cpu" or not all(hasattr(torch.ops.mkldnn, name) for name in FUNCTIONS):
        return vae
    shared = [*vae.parameters(), *vae.buffers(), vae.latents, vae.looks, vae.breeds]
    vae = copy.deepcopy(vae, {id(part): part for part in shared})
    _pack(vae.decoder)
    vae.decode(torch.zeros(1, vae.config.latent_dim))  # packs for one dog, as the page draws them
    return vae


def _pack(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, ResidualBlock):
            setattr(module, name, PackedBlock(child))
        elif isinstance(child, nn.Conv2d):
            setattr(module, name, PackedConv(child))
        else:
            _pack(child)
