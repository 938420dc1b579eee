"""A folder of weights <-> a model that is ready to use."""

import hashlib
import json
import os
from concurrent.futures import Future
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from hub import HubError, fetch, sha256

from .errors import PlainError
from .files import write_whole
from .latents import Breeds, Latents, Looks
from .latents.moves import M
from .vae import Config, DogVAE

LOOKS, BREEDS = "looks.safetensors", "breeds.safetensors"  # by training.looks; weights do without


class WeightsError(PlainError):
    """The weights can't be used; its text is one plain sentence that says why and what to do."""


def load(
    name: str | Path, device: str = "auto", asked: Future | None = None, latents: bool = True, moves: bool = True
) -> DogVAE:
    """A folder that exists, or a model on the Hub ("user/name", "user/name@revision") -> a DogVAE for inference.

    device "auto" is CUDA where there is one, else the CPU, in bfloat16 where the CPU computes in it.
    asked: what `hub.look_up(name)` began, if it did. Where the Hub can't be asked, its cache serves: `source` of
    the model says what was loaded, and why.
    latents: False takes weights, too, whose latents are not fitted yet; `latents` of the model may then be None.
    moves: False leaves `looks` and `breeds` unread; they are None as well where training.looks has not fitted them.
    Raises WeightsError with one plain sentence. Nothing but safetensors is ever read.
    """
    vae = read(name, asked, moves).eval().requires_grad_(False)
    if latents and vae.latents is None:
        raise WeightsError(f"{name} has no latents.safetensors; run python -m training.fit --weights {name}.")
    target = _auto_device() if device == "auto" else torch.device(device)
    dtype = torch.bfloat16 if target.type == "cpu" and cpu_has_bfloat16() else torch.float32
    return vae.to(target, dtype, memory_format=torch.channels_last)


def read(name: str | Path, asked: Future | None = None, moves: bool = False) -> DogVAE:
    """The same, as training goes on from it: in float32, on the CPU, with latents or without."""
    folder = Path(name)
    source = f"folder {name}"
    if not folder.is_dir():
        try:
            folder, source = fetch(str(name), asked)
        except HubError as error:
            raise WeightsError(str(error)) from None
    config = _read_config(folder / "config.json")
    path = folder / "model.safetensors"
    if not path.is_file():
        raise WeightsError(f"{folder} has no model.safetensors; train one with python -m training.train.")
    try:
        vae = DogVAE(config)
        vae.load_state_dict({k: v.float() for k, v in load_file(path).items()})
        if (folder / "latents.safetensors").is_file():
            vae.latents = Latents.load(folder / "latents.safetensors")
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"The weights in {folder} are damaged ({error}); copy or train them again.") from None
    except (RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0].rstrip(":")
        raise WeightsError(f"The weights in {folder} do not fit their config.json ({first}).") from None
    if vae.latents is not None and len(vae.latents.mean) != config.latent_dim:
        raise WeightsError(f"The latents in {folder} are not those of its model; run python -m training.fit.")
    vae.source = source
    vae.weights_id = sha256(path)[:12]
    if moves:
        vae.looks, vae.breeds = _read_moves(Looks, folder / LOOKS, vae), _read_moves(Breeds, folder / BREEDS, vae)
    return vae


def save(vae: DogVAE, folder: str | Path) -> None:
    """Writes config.json, latents.safetensors (if they are fitted) and model.safetensors (fp16), each atomically.

    The model comes last, when what was fitted to other weights is gone: a kill leaves no folder that `load` refuses, if
    the latents are fitted.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "config.json", (json.dumps(vae.config.to_json(), indent=2) + "\n").encode())
    if vae.latents is not None:
        vae.latents.save(folder / "latents.safetensors")
    halves = {k: v.half() if v.is_floating_point() else v for k, v in vae.state_dict().items()}
    halves = {k: v.contiguous() for k, v in halves.items()}
    data, path = to_bytes(halves), folder / "model.safetensors"
    digest = hashlib.sha256(data).hexdigest()
    fitted = [folder / file for file in (LOOKS, BREEDS) if (folder / file).is_file()]
    if fitted and not (path.is_file() and sha256(path) == digest):  # what was fitted to others says nothing of these
        for file in fitted:
            file.unlink()
    write_whole(path, data)
    vae.weights_id = digest[:12]


def cpu_has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; elsewhere it is slower than float32."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _read_moves(kind: type[M], path: Path, vae: DogVAE) -> M | None:
    """What training.looks fitted to these weights; None where it was not done."""
    try:
        return kind.load(path, vae.weights_id, vae.config.latent_dim)
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error) if isinstance(error, ValueError) else "is damaged"
        raise WeightsError(f"{path} {reason}; run python -m training.looks, or remove the file.") from None


def _auto_device() -> torch.device:
    """On a ZeroGPU Space a GPU is lent only to functions that ask for it: what serves live moves is the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() and not os.environ.get("SPACES_ZERO_GPU") else "cpu")


def _read_config(path: Path) -> Config:
    try:
        return Config.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise WeightsError(f"{path.parent} has no config.json, so it is not a folder of DogVAE weights.") from None
    except (OSError, json.JSONDecodeError, UnicodeDecodeError):
        raise WeightsError(f"{path} is damaged; copy the weights again.") from None
    except TypeError:
        raise WeightsError(f"{path} can't be used: an entry has the wrong type.") from None
    except ValueError as error:
        raise WeightsError(f"{path} can't be used: {error}") from None
