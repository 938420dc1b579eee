"""Several processes that train one model: on several GPUs, or on a CPU as the tests do."""

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from model.errors import PlainError
from model.pretrained import cpu_has_bfloat16

from .data.walk import DataError


class TrainingError(PlainError):
    """Training can't go on."""


def is_main() -> bool:
    """Of several processes, the one that writes and speaks. (Known before there is an Accelerator.)"""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def one_of_several() -> Iterator[None]:
    """Round the work of a process: where another one is gone, this one says so and ends. What stops this one alone, it
    says itself, as the main process will not know."""
    try:
        yield
    except (DataError, torch.OutOfMemoryError) as error:
        if not is_main():
            print(f"Process {os.environ['RANK']}: {out_of_memory(error) or error}", file=sys.stderr, flush=True)
        raise
    except RuntimeError as error:
        if int(os.environ.get("WORLD_SIZE", 1)) == 1 or not _between_processes(error):
            raise
        first = str(error).splitlines()[0]
        sentence = f"A process of this run is gone ({first}); --resume goes on from the last checkpoint."
        print(sentence, file=sys.stderr, flush=True)
        os._exit(1)  # an orderly end would wait for the one that is gone


def _between_processes(error: BaseException) -> bool:
    """Whether it was raised by what passes messages: torch has no class for errors of all its ways to do that."""
    return "distributed" in Path(traceback.extract_tb(error.__traceback__)[-1].filename).parts


def out_of_memory(error: Exception) -> str | None:
    """What to do where a GPU's memory is too small; None for another error."""
    if not isinstance(error, torch.OutOfMemoryError):
        return None
    return "A batch does not fit into the GPU's memory; choose a larger --accumulate or a smaller --batch."


@contextlib.contextmanager
def stopped_by(ask: Callable[[], object]) -> Iterator[None]:
    """Meanwhile SIGTERM and Ctrl-C call `ask`, where they would end the process. Python takes signals in the main
    thread only: in another one nothing changes."""
    names = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    before = {name: signal.signal(name, lambda *_: ask()) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def name_of(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


def has_room(device: torch.device, size: int) -> bool:
    """Whether the device is a GPU, and so many bytes are at most a quarter of what is free on it."""
    return device.type == "cuda" and size <= torch.cuda.mem_get_info(device)[0] / 4


@torch.no_grad()
def average_gradients(accelerator: Accelerator, module: nn.Module) -> None:
    """The mean over all processes, in one message.

    DistributedDataParallel does this during the backward pass, but only for a module that is called once and as a
    whole. In the second phase the decoder is called without the encoder, and each discriminator twice. Doing it
    afterwards costs little for 50 MB of gradients.
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


def has_bfloat16() -> bool:
    """Whether what trains here computes in bfloat16. NVIDIA's GPUs before Ampere only imitate it, slowly."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return cpu_has_bfloat16()


def make_accelerator(precision: str) -> Accelerator:
    """Raises TrainingError where this machine can't do what is asked."""
    if precision == "auto":
        precision = "bf16" if has_bfloat16() else "no"
    if precision == "fp16" and not torch.cuda.is_available():
        raise TrainingError("--precision fp16 needs a GPU; leave it out here.")
    accelerator = Accelerator(mixed_precision=precision)
    if accelerator.num_processes < int(os.environ.get("WORLD_SIZE", 1)):
        raise TrainingError("Each process would train alone; on a CPU, set ACCELERATE_USE_CPU=true, too.")
    return accelerator
