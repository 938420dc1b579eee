"""Where real dogs lie in a model's latent space, along two directions, for the page's lesson.

    python -m training.cloud --weights weights/small-* --data ../shared/data/heads

Writes cloud.safetensors into each folder: of 400 validation pictures the two numbers each, nothing else. Run it after
training.fit, which sets the directions.
"""

import argparse
from pathlib import Path

import torch

from model import load
from model.cloud import Cloud
from model.vae import reparametrize

from .command import one_sentence, unwritten, weights_here
from .data.folder import load_splits
from .fit import encode_all

DOGS = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, nargs="+", type=Path, help="folders of models")
    parser.add_argument("--data", required=True, help="the folder of pictures that they were trained on")
    args = parser.parse_args()
    with one_sentence(unwritten("The clouds")):
        known = {}  # pictures by their size
        for folder in args.weights:
            vae = load(weights_here(folder))
            size = vae.config.image_size
            if size not in known:
                known[size] = load_splits(args.data, size, progress=True)[1].first(DOGS)
            mu, logvar = encode_all(vae, known[size])
            noise = torch.randn(mu.shape, generator=torch.Generator().manual_seed(0))
            Cloud.of(vae.latents, reparametrize(mu, logvar, noise)).save(folder)
            print(f"{len(mu)} dogs -> {folder / 'cloud.safetensors'}")


if __name__ == "__main__":
    main()
