"""Draw the dogs in assets/: examples that visitors without a photo can click.

    python -m training.examples --weights weights/dogvae --seeds 129 120 135 130 121 103
"""

import argparse
from pathlib import Path

import torch

from model import load
from model.files import write_whole
from model.pixels import to_file, to_picture

from ..command import one_sentence, unwritten

ASSETS = Path(__file__).parents[2] / "assets"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="weights/dogvae")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--temperature", type=float, default=1.0)
    args = parser.parse_args()
    with one_sentence(unwritten("The pictures")):
        vae = load(args.weights)
        try:
            z = torch.cat([vae.latents.sample(1, args.temperature, seed) for seed in args.seeds])
        except ValueError as error:
            parser.error(str(error))
        for old in ASSETS.glob("dog-*.png"):
            old.unlink()
        for number, x in enumerate(vae.decode(z), 1):
            write_whole(ASSETS / f"dog-{number}.png", to_file(to_picture(x), "PNG"))


if __name__ == "__main__":
    main()
