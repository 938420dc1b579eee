"""Look at what each direction does, and name those that mean something.

    python -m training.name --weights weights/dogvae --sheets runs/directions
    python -m training.name --weights weights/dogvae 1="coat: dark to light" 10="ears: upright to hanging"

The first draws the strongest 24 directions, each over -3..3 standard deviations (left to right) on ten dogs.
The second stores the names in DIR's latents.safetensors, from where the page shows them.
"""

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from model import DogVAE, WeightsError, load

from .command import one_sentence, unwritten
from .pictures import save_grid

SHOWN, DOGS, STEPS, MAX_NAME = 24, 10, 7, 40


def save_sheets(vae: DogVAE, folder: Path) -> None:
    """folder/direction-NN.png, a row for each dog (seed 0), everything but the direction kept."""
    dogs = vae.latents.coordinates(vae.latents.sample(DOGS, seed=0))
    for direction in tqdm(range(min(SHOWN, len(vae.latents.names))), "drawing", unit=" sheets"):
        c = dogs.repeat_interleave(STEPS, 0)
        c[:, direction] = torch.linspace(-3, 3, STEPS).repeat(DOGS)
        rows = vae.decode(vae.latents.from_coordinates(c)).split(STEPS)
        save_grid(list(rows), folder / f"direction-{direction + 1:02d}.png")


def parse_name(text: str) -> tuple[int, str]:
    number, _, name = text.partition("=")
    if not number.isdigit() or int(number) < 1 or not 0 < len(name.strip()) <= MAX_NAME:
        raise argparse.ArgumentTypeError(f"{text!r} is not NUMBER=NAME with a name of at most {MAX_NAME} letters.")
    return int(number), name.strip()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="folder of the model; its latents.safetensors keeps the names")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="draw a sheet of each direction into DIR")
    parser.add_argument("names", nargs="*", type=parse_name, metavar="NUMBER=NAME", help="the first direction is 1")
    args = parser.parse_args(argv)
    with one_sentence(unwritten("The names")):
        vae = load(args.weights)
        for number, name in args.names:
            if number > len(vae.latents.names):
                raise WeightsError(f"There is no direction {number}; the last is {len(vae.latents.names)}.")
            vae.latents.names[number - 1] = name
        if args.names:
            vae.latents.save(Path(args.weights) / "latents.safetensors")
        if args.sheets:
            save_sheets(vae, args.sheets)


if __name__ == "__main__":
    main()
