"""A GAN at several moments of its training, for the page's lesson: training/gan.py makes one that falls apart.

Its generator is the decoder of classic.py, its critic the encoder there, with one output: the same two networks as in
the autoencoder, the other way round.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from .classic import ClassicDecoder
from .errors import PlainError
from .files import write_whole

SIZE, WIDTH, LATENT_DIM = 63, 16, 64  # pixels a side; channels of the first feature map; numbers of a draw


def new_generator() -> ClassicDecoder:
    return ClassicDecoder(SIZE, LATENT_DIM, WIDTH)


@dataclass(frozen=True)
class GanRun:
    """stages: images that a run had seen, and its generator then.

    losses: [images, the generator's loss, the critic's] along the run, each in nats.
    """

    stages: list[tuple[int, ClassicDecoder]]
    losses: list[tuple[int, float, float]]

    @torch.inference_mode()
    def draw(self, n: int, seed: int) -> list[Tensor]:
        """The same n latents by each stage's generator: pictures [n, 3, 63, 63] in [-1, 1]."""
        z = torch.randn(n, LATENT_DIM, generator=torch.Generator().manual_seed(seed))
        return [generator(z).tanh() for _, generator in self.stages]

    def save(self, folder: Path) -> None:
        """model.safetensors (fp16), each name after its stage's number, and run.json."""
        tensors = {f"{i}.{key}": t for i, (_, g) in enumerate(self.stages) for key, t in g.state_dict().items()}
        halves = {k: (t.half() if t.is_floating_point() else t).contiguous() for k, t in tensors.items()}
        write_whole(folder / "model.safetensors", to_bytes(halves))
        told = {"stages": [images for images, _ in self.stages], "losses": self.losses}
        write_whole(folder / "run.json", (json.dumps(told) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> "GanRun":
        """Raises PlainError where the folder holds no such run, or a damaged one."""
        try:
            told, tensors = json.loads((folder / "run.json").read_text()), load_file(folder / "model.safetensors")
            stages = []
            for i, images in enumerate(told["stages"]):
                own = {key.partition(".")[2]: t for key, t in tensors.items() if key.startswith(f"{i}.")}
                generator = new_generator().eval().requires_grad_(False)
                generator.load_state_dict({k: t.float() if t.is_floating_point() else t for k, t in own.items()})
                stages.append((images, generator))
            return cls(stages, [tuple(line) for line in told["losses"]])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            why = f"{folder} holds no GAN of the lesson ({str(error).splitlines()[0]})"
            raise PlainError(f"{why}; make one by python -m training.gan.") from None
