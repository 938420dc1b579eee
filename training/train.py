"""Train a model on a folder of pictures.

    python -m training.train --preset dogvae --data ../shared/data/heads --out runs/dogvae --images 250000

OUT holds at every tick: config.json, model.safetensors and latents.safetensors (the EMA, fp16: give OUT
to `load` or to WEIGHTS=), critic.safetensors (in the second phase), checkpoint.safetensors (for --resume), log.jsonl,
and grids/ of pictures.
Several GPUs: `accelerate launch -m training.train ...`. Several processes on a CPU, as in the tests:
`ACCELERATE_USE_CPU=true torchrun --nproc-per-node 2 -m training.train ...`. The same file (docs/scaling.md).
"""

import argparse
import sys

from model import PRESETS
from model.crop import FRAMES

from .command import one_sentence
from .config import PRECISIONS, TrainConfig
from .processes import is_main, one_of_several, out_of_memory
from .trainer import Trainer


def parse(argv: list[str] | None = None) -> TrainConfig:
    """Each option is the entry of TrainConfig with its name, whose default it has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], argument_default=argparse.SUPPRESS)
    parser.add_argument("--preset", choices=list(PRESETS))
    parser.add_argument("--data", required=True, help="a folder of pictures, or one with train/ and val/ in it")
    streamed = "read DATA as it goes, not into memory; it may also be *.tar shards, or user/name on the Hub"
    parser.add_argument("--stream", action="store_true", help=streamed)
    aside = "more pictures that encoder and decoder learn, but not the prior that draws random dogs: heads in profile"
    parser.add_argument("--aside", metavar="DIR", help=aside)
    frame = "how DATA was cut out of photos, as training.prepare did it (default: eyes)"
    parser.add_argument("--frame", choices=list(FRAMES), help=frame)
    parser.add_argument("--out", required=True, help="the run's folder; made if it is not there")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--images", type=int, help="stop after so many training images")
    length.add_argument("--minutes", type=float, help="stop after so many minutes; the schedule follows the pace")
    parser.add_argument("--resume", action="store_true", help="go on from OUT's checkpoint")
    start = "start from the weights in this folder, and from its critic; with --realism 1 sharpen them on"
    parser.add_argument("--init-from", metavar="DIR", help=start)
    price = "price of a nat of KL in the loss; 0 makes a plain autoencoder, not of dogvae (default: the preset's)"
    parser.add_argument("--kl", type=float, metavar="PRICE", help=price)
    share = "of the images, the last ones, for the second phase (0 to 1; default: 0.75 for dogvae)"
    parser.add_argument("--realism", type=float, metavar="SHARE", help=share)
    parser.add_argument("--tick", type=int, help="images between checkpoints (default 10000)")
    parser.add_argument("--precision", choices=PRECISIONS)
    parser.add_argument("--batch", type=int, help="images an update, over all processes (default: the preset's)")
    parser.add_argument("--accumulate", type=int, help="parts of a process's share, one after the other")
    parser.add_argument("--seed", type=int)
    given = vars(parser.parse_args(argv))
    try:
        return TrainConfig(**given)
    except ValueError as error:
        parser.error(str(error))


def main(argv: list[str] | None = None) -> None:
    config = parse(argv)

    def explain(error: Exception) -> str | None:
        if isinstance(error, OSError):  # a full disk, a folder that is not ours
            return f"The run can't go on: {error.filename or config.out}: {error.strerror or error}."
        return out_of_memory(error)

    with one_sentence(explain, stopped="Stopped before training began."):
        trainer = Trainer(config)
        try:
            with one_of_several():
                trainer.train()
        finally:
            if is_main() and trainer.skipped:
                count = f"{len(trainer.skipped)} pictures could not be read:"
                print(count, *trainer.skipped, sep="\n  ", file=sys.stderr)


if __name__ == "__main__":
    main()
