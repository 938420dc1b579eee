"""Train a model from Python instead of the command line, and draw a dog with it.

    python -m examples.train PHOTOS OUT 100000

PHOTOS is a folder of pictures of dogs' heads (training.prepare makes one). 100000 is the number of images to train on.
"""

import sys

from model import load
from model.pixels import to_picture
from training.config import TrainConfig
from training.trainer import Trainer

data, out, images, preset = (*sys.argv[1:], "dogvae")[:4]
Trainer(TrainConfig(data=data, out=out, images=int(images), preset=preset)).train()

vae = load(out)
z = vae.latents.sample(1, temperature=0.8, seed=7)  # [1, 256]
to_picture(vae.decode(z)[0]).save(f"{out}/dog.png")
