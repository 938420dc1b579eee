"""Draw the example dogs in assets/ that visitors without a photo can click.

    python -m training.examples --weights weights/dogvae --seeds 8 15 28 38 52 53
"""

import argparse
import sys
from pathlib import Path

from model import WeightsError, load
from model.files import write_whole
from model.studio import Studio, png

ASSETS = Path(__file__).parent.parent / "assets"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="weights/dogvae")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--temperature", type=float, default=0.8)
    args = parser.parse_args()
    try:
        studio = Studio(load(args.weights))
    except WeightsError as error:
        sys.exit(str(error))
    for old in ASSETS.glob("dog-*.png"):
        old.unlink()
    for number, seed in enumerate(args.seeds, 1):
        picture = studio.draw(studio.sample(1, args.temperature, seed))[0]
        write_whole(ASSETS / f"dog-{number}.png", png(picture))


if __name__ == "__main__":
    main()
