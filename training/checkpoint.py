"""The state of a run in one safetensors file, written so that a kill at any moment leaves a good one."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from model.errors import PlainError
from model.files import write_whole

NAME = "checkpoint.safetensors"


class CheckpointError(PlainError):
    """The checkpoint can't be resumed; its text is one plain sentence."""


def save_checkpoint(
    folder: Path,
    modules: dict[str, nn.Module],
    optimizers: dict[str, torch.optim.Optimizer],
    further: dict[str, Tensor],
    **facts,
) -> None:
    """Modules, optimizers, the tensors `further` and plain facts -> FOLDER/checkpoint.safetensors.

    Raises OSError, the former one intact.
    """
    tensors = {f"further.{name}": tensor for name, tensor in further.items()}
    tensors |= {f"{name}.{k}": v for name, module in modules.items() for k, v in module.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, values in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{k}": v for k, v in values.items()}
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    write_whole(folder / NAME, to_bytes(tensors, {"facts": json.dumps(facts)}))


def read_facts(folder: Path) -> dict:
    """The plain facts of a checkpoint. Raises CheckpointError if there is none or it is damaged."""
    path = folder / NAME
    if not path.is_file():
        raise CheckpointError(f"There is no {path} to resume; leave out --resume to start anew.")
    try:
        with safe_open(path, "np") as file:  # "pt" opens it a second time, which may be the next checkpoint
            return json.loads(file.metadata()["facts"])
    except (SafetensorError, OSError, TypeError, KeyError, ValueError):
        raise CheckpointError(f"{path} is damaged; train into another --out to start anew.") from None


def another_config(folder: Path, before: dict, now: dict) -> str:
    """The sentence for a checkpoint whose model is another one. before, now: the run's settings then and now."""
    other = [name for name in ("preset", "frame", "kl") if before.get(name) not in (None, now[name])]
    repeat = f"repeat {' '.join(f'--{name} {before[name]}' for name in other)}, or " if other else ""
    return f"The checkpoint in {folder} is of another config; {repeat}train into another --out."


def load_checkpoint(
    folder: Path, modules: dict[str, nn.Module], optimizers: dict[str, torch.optim.Optimizer]
) -> dict[str, Tensor]:
    """Fills modules and optimizers in place; returns the tensors that were saved as `further`.

    Raises CheckpointError if modules or optimizers are not those of the file.
    """
    tensors: dict[str, Tensor] = {}
    try:
        with safe_open(folder / NAME, "pt") as file:
            tensors = {k: file.get_tensor(k) for k in file.keys()}
        for name, module in modules.items():
            module.load_state_dict(_under(name, tensors))
        for name, optimizer in optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _under(name, tensors).items():
                index, _, entry = key.partition(".")
                state.setdefault(int(index), {})[entry] = value
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
            _match_layout(optimizer)
        return _under("further", tensors)
    except (SafetensorError, OSError, RuntimeError, ValueError, KeyError) as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(f"The checkpoint in {folder} does not fit this run ({first}).") from None


def _match_layout(optimizer: torch.optim.Optimizer) -> None:
    """The fused optimizers walk weights and moments in memory order: both must be channels_last, or they mix."""
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if value.shape == parameter.shape:
                values[key] = torch.empty_like(parameter).copy_(value)


def _under(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k[len(name) + 1 :]: v for k, v in tensors.items() if k.startswith(name + ".")}
