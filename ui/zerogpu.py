"""The GPU that a ZeroGPU Space lends for some seconds. Anywhere else, none of this is in force.

A loan takes longer than a decode and is taken off the visitor's quota, so live moves stay on the CPU.
"""

import copy
import os
from collections.abc import Callable

from torch import Tensor

from model.vae import DogVAE


def lent_decoder(vae: DogVAE) -> Callable[[Tensor], Tensor] | None:
    """Like `vae.decode`, on a GPU that is lent for it; None where there are no loans.

    It may wait for a GPU, and raises what `spaces` raises where none is to be had: all are taken, or the visitor's
    quota is used up. To be made in the thread that imported `spaces`, which watches over torch in that one only.
    """
    if not os.environ.get("SPACES_ZERO_GPU"):
        return None
    import spaces  # where ZeroGPU is, this is (app.py imports it before torch)

    lent = copy.deepcopy(vae).to("cuda")  # moved there for good by `spaces` when a GPU is lent

    @spaces.GPU(duration=10)
    def decode(z: Tensor) -> Tensor:
        return lent.decode(z).cpu()

    return decode
