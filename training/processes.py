"""Several processes that train one model: on several GPUs, or on a CPU as the tests do."""

import os

import torch
from accelerate import Accelerator
from torch import nn


def is_main() -> bool:
    """Of several processes, the one that writes and speaks. (Known before there is an Accelerator.)"""
    return os.environ.get("RANK", "0") == "0"


@torch.no_grad()
def average_gradients(accelerator: Accelerator, module: nn.Module) -> None:
    """The mean over all processes, in one message.

    DistributedDataParallel would do it during backward, for a module that is called once and as a whole: in the
    second phase the decoder is called alone, and the discriminator twice. With 50 MB of gradients little is lost.
    """
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    if accelerator.num_processes == 1 or not gradients:
        return
    # As they lie in memory: `flatten` would sort those of channels_last anew.
    gradients = [g.as_strided((g.numel(),), (1,)) for g in gradients]
    # What was computed in bfloat16 travels in it (as by DistributedDataParallel's bf16_compress_hook): half the bytes.
    dtype = torch.bfloat16 if accelerator.mixed_precision == "bf16" else torch.float32
    message = gradients[0].new_empty(sum(map(torch.numel, gradients)), dtype=dtype)
    parts = message.split([g.numel() for g in gradients])
    torch._foreach_copy_(parts, gradients)
    torch.distributed.all_reduce(message)
    message /= accelerator.num_processes
    torch._foreach_copy_(gradients, parts)
