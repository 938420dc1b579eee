"""Fit the Looks and the breeds of a model, and name those of its directions that go with one thing.

    python -m training.looks --weights weights/dogvae --sheets runs/looks

Draws dogs, measures what is seen in them, and writes looks.safetensors and breeds.safetensors beside the weights; the
names go into latents.safetensors. Prints how faithful each Look is, as Markdown: one that moves another measure more
than half as much as its own is left out. Run it after training.fit. With --sheets it draws each Look at both ends on
ten dogs, and an example of each breed: look at them.
"""

import argparse
from pathlib import Path

import torch

from model import DogFinder, load
from model.pretrained import BREEDS, LOOKS

from .appearance import fit, report
from .appearance.draws import Eye
from .command import one_sentence, unwritten, weights_here

DRAWS, FEWEST = 3000, 50


def parse_draws(text: str) -> int:
    if not text.isdigit() or int(text) < FEWEST:
        raise argparse.ArgumentTypeError(f"The draws are a whole number from {FEWEST} on, not {text!r}.")
    return int(text)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, type=Path, help="folder of the model; the files are written there")
    parser.add_argument("--draws", type=parse_draws, default=DRAWS, help=f"how many dogs to fit to (default {DRAWS})")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="draw sheets into DIR")
    args = parser.parse_args(argv)
    with one_sentence(unwritten("The looks")), torch.inference_mode():
        vae = load(weights_here(args.weights), moves=False)
        eye = Eye(vae, DogFinder())
        draws = fit.draw(vae, eye, args.draws)
        looks, breeds = fit.fit_looks(vae.latents, draws), fit.fit_breeds(vae.latents, eye, draws)
        change = fit.changes(vae.latents, eye, draws, looks)
        shown = fit.chosen(looks, change)
        fit.only(looks, shown).save(args.weights / LOOKS, vae.weights_id)
        breeds.save(args.weights / BREEDS, vae.weights_id)
        vae.latents.names[:] = fit.name_directions(draws)
        vae.latents.save(args.weights / "latents.safetensors")
        print(report.table(looks, change, shown, args.draws))
        print("\n" + report.breeds_in_words(vae, eye, breeds))
        named = [f"{i + 1} {name}" for i, name in enumerate(vae.latents.names) if not name.startswith("direction ")]
        print(f"\nDirections that got a name: {', '.join(named) or 'none'}.")
        if args.sheets:
            report.save_sheets(vae, eye, looks, breeds, args.sheets)


if __name__ == "__main__":
    main()
