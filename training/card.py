"""Write the model card, README.md, of a folder of weights from its metrics.json.

    python -m training.card --weights weights/dogvae weights/classic weights/autoencoder
"""

import argparse
import json
import sys
from pathlib import Path

from model.files import write_whole

ABOUT = {
    "dogvae": (
        "DogVAE, a variational autoencoder of dogs' heads",
        "256 numbers in, a picture of 128 x 128 pixels out. The encoder reads the features of a frozen "
        "EfficientNet-Lite0; the decoder is a residual network that learned to make pictures which look to that "
        "network as the photo does.",
    ),
    "classic": (
        "The classic DogVAE, as a yardstick",
        "The network and recipe of https://github.com/YashSax/DogVAE, two mistakes put right (model/classic.py): plain "
        "convolutions, squared error of pixels plus a little KL, 127 x 127 pixels.",
    ),
    "autoencoder": (
        "The classic DogVAE without its variational part",
        "It shows on the page what an autoencoder can't do: be sampled. 127 x 127 pixels.",
    ),
}

CARD = """---
license: other
license_name: non-commercial-research
library_name: pytorch
pipeline_tag: unconditional-image-generation
tags: [vae, dogs, image-generation]
---

# {title}

{about}

![64 random dogs, seeds 0 to 63, as they came](samples.webp)

*64 random dogs, seeds 0 to 63, none left out.*

```python
from model import load          # the DogVAE repository
vae = load("{preset}")          # this folder, or its name on the Hub
z = vae.latents.sample(16, temperature=1.0, seed=7)   # [16, 256]
x = vae.decode(z)               # [16, 3, {size}, {size}] in [-1, 1]
mu, logvar = vae.encode(x)      # back again
```

## Numbers

Measured on {val} pictures that were not trained on, by `{command}`. KID is computed on the features of
EfficientNet-Lite2 (a "Lite2-KID", not comparable with published ones), which none of the models was trained with.

{table}

Trained on {images} images ({train} different ones) in {minutes} minutes on two CPU cores that were busy with other
work too.

## Data and licence

The dogs' heads were cut out of photos of the "dog emotions" set (Flickr, 73 %, no licence stated) and of subsets of
Stanford Dogs and of Kaggle's Dogs vs. Cats. The photos themselves are not part of this repository. The weights are for
**research and other non-commercial use**; the code is MIT.{trunk}

## Limitations

Heads that fill the frame, seen from the front or nearly so. Fur, collars, toys and backgrounds are guessed, not
remembered; a photo without a dog still comes back as something like a dog. Rare breeds look like common ones, as the
data does.
"""

TRUNK = (
    " `encoder.trunk.*` holds EfficientNet-Lite0 (Apache-2.0, The TensorFlow Authors), BatchNorm folded in; see NOTICE "
    "in the DogVAE repository."
)


def table(metrics: dict) -> str:
    """Reconstructions and random dogs of this model beside the anchors, as Markdown."""
    prior = metrics["headline_prior"]
    mine, drawn = metrics["reconstructions"], metrics["samples"][prior]["1.0"]
    lines = ["| | KID x1e3 | perceptual distance | PSNR dB | SSIM | sharpness |", "| --- " + "| ---: " * 5 + "|"]
    blurred = metrics["anchors"]["blurred"]["reconstructions"]
    for name, values in [("reconstructions", mine), ("*blurred photos*", blurred)]:
        lines.append(
            f"| {name} | {values['kid_x1e3']:.1f} ± {values['kid_std_x1e3']:.1f} | {values['perceptual']:.3f} | "
            f"{values['psnr']:.2f} | {values['ssim']:.3f} | {values['sharpness']:.2f} |"
        )
    lines += ["", "| | KID x1e3 | diversity | memorisation | sharpness |", "| --- " + "| ---: " * 4 + "|"]
    source = "N(0, I)" if prior == "normal" else "the fitted prior"
    for name, values in [(f"random dogs from {source}", drawn), ("*real dogs*", metrics["anchors"]["real"]["samples"])]:
        lines.append(
            f"| {name} | {values['kid_x1e3']:.1f} ± {values['kid_std_x1e3']:.1f} | {values['diversity']:.2f} | "
            f"{values['memorisation']:.1%} | {values['sharpness']:.2f} |"
        )
    return "\n".join(lines)


def card(folder: Path) -> str:
    """The card's text. Raises OSError or ValueError where metrics.json is missing or of another form."""
    metrics = json.loads((folder / "metrics.json").read_text())
    preset = metrics["preset"]
    title, about = ABOUT[preset]
    size = json.loads((folder / "config.json").read_text())["image_size"]
    return CARD.format(
        title=title,
        about=about,
        preset=folder,
        size=size,
        val=metrics["data"]["val"],
        train=f"{metrics['data']['train']:,}",
        command=metrics["command"],
        table=table(metrics),
        images=f"{metrics['images']:,}" if metrics["images"] else "an unknown number of",
        minutes=f"{metrics['minutes']:.0f}" if metrics["minutes"] else "an unknown number of",
        trunk=TRUNK if preset == "dogvae" else "",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, nargs="+", type=Path, help="folders with a metrics.json")
    for folder in parser.parse_args().weights:
        try:
            write_whole(folder / "README.md", card(folder).encode())
        except (OSError, ValueError, KeyError) as error:
            sys.exit(f"{folder} has no usable metrics.json ({error}); run python -m training.evaluate --write-metrics.")


if __name__ == "__main__":
    main()
