"""Draw the dogs in assets/: examples that visitors without a photo can click, and dogs before the second phase.

    python -m training.examples --weights weights/dogvae --seeds 62 27 33 38 28 7 --first-phase runs/first

The lesson shows the latter beside the same latents drawn by the weights as they are. --first-phase names the folder
of the weights that the second phase started from. The encoder goes on learning in the second phase, so the same latents
draw dogs of the same kind, not the same dogs.
"""

import argparse
from pathlib import Path

import torch

from model import load
from model.files import write_whole
from model.pixels import to_file, to_picture
from model.pretrained import read

from ..command import one_sentence, unwritten

ASSETS = Path(__file__).parents[2] / "assets"
DRAWN = 6  # dogs in a row of the lesson


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="weights/dogvae")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--first-phase", metavar="DIR")
    args = parser.parse_args()
    with one_sentence(unwritten("The pictures")):
        vae = load(args.weights)
        first = read(args.first_phase).eval() if args.first_phase else None
        for old in ASSETS.glob("dog-*.png"):
            old.unlink()
        for number, seed in enumerate(args.seeds, 1):
            picture = to_picture(vae.decode(vae.latents.sample(1, args.temperature, seed))[0])
            write_whole(ASSETS / f"dog-{number}.png", to_file(picture, "PNG"))
        if first:
            for old in ASSETS.glob("first-phase-*.webp"):
                old.unlink()
            x = first.decode(vae.latents.sample(DRAWN, 1.0, seed=0))
            strip = to_picture(torch.cat(list(x), dim=2))
            write_whole(ASSETS / f"first-phase-{vae.weights_id}.webp", to_file(strip, "WEBP", quality=92))


if __name__ == "__main__":
    main()
