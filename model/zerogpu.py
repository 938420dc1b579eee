"""Batches on the GPU that a ZeroGPU Space lends for some seconds. Anywhere else, none of this is in force.

A loan takes longer than a decode and is taken off the visitor's quota, so live moves stay on the CPU.
"""

import copy
import logging
import os
from collections.abc import Callable

from torch import Tensor

from .packed import packed
from .vae import DogVAE

BATCH = 16  # pictures from which on a loan is worth it

log = logging.getLogger("dogvae")


def batch_decoder(vae: DogVAE) -> Callable[[Tensor], Tensor]:
    """What decodes latents, one or many at once: like `vae.decode`, and on a ZeroGPU Space many of them on the GPU.

    There the CPU decodes where no GPU is to be had: the visitor's quota is used up, or all GPUs are taken.
    """
    quick = packed(vae)
    if not os.environ.get("SPACES_ZERO_GPU"):
        return quick.decode
    import spaces  # where ZeroGPU is, this is (app.py imports it before torch)

    lent = copy.deepcopy(vae).to("cuda")  # moved there for good by `spaces` when a GPU is lent

    @spaces.GPU(duration=10)
    def decode_lent(z: Tensor) -> Tensor:
        return lent.decode(z).cpu()

    def decode(z: Tensor) -> Tensor:
        if len(z) < BATCH:
            return quick.decode(z)
        try:
            return decode_lent(z)
        except Exception as error:  # spaces raises gr.Error and others
            log.warning("no GPU was lent (%s): decoded on the CPU", error)
            return quick.decode(z)

    return decode
