"""Train a small GAN so that it falls apart, for the page's lesson "why not GANs".

    python -m training.gan --data ../shared/data/heads --out weights/gan --images 24000

The recipe is one that many begin with: the original loss (Goodfellow et al. 2014, arXiv:1406.2661), Adam with its
default momentum, one learning rate for both networks, ten times what the DCGAN paper found to work (Radford et al.
2015, arXiv:1511.06434), and nothing that holds the critic back. OUT holds the generator at four moments of the run
(model/gan.py) and both losses along it.
"""

import argparse
import copy
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from model.classic import ClassicDecoder, ClassicEncoder
from model.errors import PlainError
from model.files import write_whole
from model.gan import LATENT_DIM, SIZE, WIDTH, GanRun, new_generator

from .command import one_sentence, unwritten
from .data.folder import Samples, load_splits

CARD = """# A GAN that fell apart

Four generators of one run, for the page's lesson: {command}.
Its recipe is unwise on purpose (training/gan.py). Draws are of 63 x 63 pixels. The pictures that it learned from are
not part of this repository. For research and other non-commercial use.
"""
BATCH, LEARNING_RATE, BETAS = 16, 2e-3, (0.9, 0.999)
STAGES = (0.04, 0.2, 0.5, 1.0)  # shares of the run after which a generator is kept
POINTS = 60  # of each loss curve


class Pair:
    """A generator that wants to be believed, and a critic that wants to tell its pictures from photos."""

    def __init__(self, seed: int):
        torch.manual_seed(seed)
        self.generator, self.critic = new_generator(), ClassicEncoder(SIZE, LATENT_DIM, 1, WIDTH)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=BETAS)
            for network in (self.generator, self.critic)
        ]

    def step(self, x: Tensor, z: Tensor) -> tuple[float, float]:
        """x: photos [B, 3, S, S]; z: noise [B, LATENT_DIM]. Returns both losses, the generator's first."""
        drawn = self.generator(z).tanh()
        critic_loss = believed(self.critic(x)) + believed(-self.critic(drawn.detach()))
        self._update(1, critic_loss)
        generator_loss = believed(self.critic(drawn))
        self._update(0, generator_loss)
        return generator_loss.item(), critic_loss.item()

    def _update(self, which: int, loss: Tensor) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        self.optimizers[which].step()


def believed(logits: Tensor) -> Tensor:
    """Cross-entropy, in nats, of logits that are to say "a photo"."""
    return F.softplus(-logits).mean()


def train(samples: Samples, images: int, seed: int, progress: bool = True) -> GanRun:
    """Losses may run away: to show that is what it is for. Raises PlainError where they are numbers no more."""
    pair, pending = Pair(seed), [share * images for share in STAGES]
    kept: list[tuple[int, ClassicDecoder]] = []
    losses: list[tuple[int, float, float]] = []
    sums, counted = [0.0, 0.0], 0
    for start in tqdm(range(0, images, BATCH), unit=" steps", disable=not progress):
        batch = samples.batch(start, BATCH)
        told = pair.step(batch.x, batch.eps)
        if not all(map(math.isfinite, told)):
            raise PlainError(f"The loss was no number any more after {start} images; try another --seed.")
        sums, counted = [total + one for total, one in zip(sums, told)], counted + 1
        seen = start + BATCH
        if seen >= images * (len(losses) + 1) / POINTS:
            losses.append((seen, round(sums[0] / counted, 4), round(sums[1] / counted, 4)))
            sums, counted = [0.0, 0.0], 0
        while pending and seen >= pending[0]:
            kept.append((seen, copy.deepcopy(pair.generator).eval()))
            pending.pop(0)
    return GanRun(kept, losses)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a folder of pictures, or one with train/ and val/ in it")
    parser.add_argument("--out", required=True, type=Path, help="made if it is not there; a run in it is replaced")
    parser.add_argument("--images", type=int, default=24_000, help="how long to train (default 24000)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if args.images < BATCH * POINTS:
        parser.error(f"--images is at least {BATCH * POINTS}.")
    with one_sentence(unwritten("The run")):
        args.out.mkdir(parents=True, exist_ok=True)
        pictures, _ = load_splits(args.data, SIZE, progress=True)
        run = train(Samples(pictures, LATENT_DIM, args.seed), args.images, args.seed)
        run.save(args.out)
        told = f"--data {args.data} --out {args.out} --images {args.images} --seed {args.seed}"
        write_whole(args.out / "README.md", CARD.format(command=f"`python -m training.gan {told}`").encode())
    print(f"Losses at the end: {json.dumps(run.losses[-1][1:])} -> {args.out}")


if __name__ == "__main__":
    main()
