"""Write the model card, README.md, of a folder of weights from its metrics.json.

Its head is what the Hub reads: licence, task, and the main numbers (huggingface.co/docs/hub/model-cards).

    python -m training.card --weights weights/dogvae weights/classic weights/autoencoder
"""

import argparse
import json
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from model.errors import PlainError
from model.files import write_whole

from ..command import one_sentence, unwritten
from ..tables import kid, table

ABOUT = {
    "dogvae": (
        "DogVAE, a variational autoencoder of dogs' heads",
        "256 numbers in, a picture of a dog's upright head out. The encoder reads the features of a frozen "
        "EfficientNet-Lite0; the decoder is a residual network that learned to make pictures which look to that "
        "network as the photo does.",
    ),
    "classic": (
        "The classic DogVAE, as a yardstick",
        "The network and recipe of https://github.com/YashSax/DogVAE, two mistakes put right (model/classic.py): plain "
        "convolutions, squared error of pixels plus a little KL, 127 x 127 pixels.",
    ),
    "vae": (
        "The classic DogVAE at a price that makes it draw dogs",
        "The network of `classic`, trained with {kl} a nat of KL instead of 0.00025: random numbers from N(0, I) come "
        "out as dogs, blurred. 127 x 127 pixels.",
    ),
    "small": (
        "A small VAE of dogs, for the page's lesson",
        "The network of `classic` for 63 x 63 pixels and 128 numbers, with half as many channels. There are several, "
        "the same but for the price of KL; this one paid {kl} a nat, where 0 makes an autoencoder.",
    ),
    "autoencoder": (
        "The classic DogVAE without its variational part",
        "It shows on the page what an autoencoder can't do: be sampled. 127 x 127 pixels.",
    ),
}

CARD = """---
{head}
---

# {title}

{about}

![64 random dogs, seeds 0 to 63, as they came](samples.webp)

*64 random dogs, seeds 0 to 63, none left out.*

```python
from model import load          # in a clone of the DogVAE repository
vae = load("{name}")
z = vae.latents.sample(16, temperature=1.0, seed=7)   # [16, {dim}]
x = vae.decode(z)               # [16, 3, {size}, {size}] in [-1, 1]
mu, logvar = vae.encode(x)      # back again
```

## Numbers

Measured on {val} pictures that were not trained on, by `{command}`. KID is computed on the features of
EfficientNet-Lite2 (a "Lite2-KID", not comparable with published ones), which none of the models was trained with.

{table}

Trained on {images} images ({different} different ones) in {minutes} minutes{where}.

## Data and licence

{data} The code is MIT.{trunk}

## Limitations

Heads that fill the frame, seen from the front or nearly so; those that look aside come out less well. Fur, collars,
toys and backgrounds are guessed, not remembered; a photo without a dog comes back as a smear, or as half a dog. Rare
breeds look like common ones, as the data does.
"""

# Our own data, by the folder's name and the pictures in it to train on and to measure on -> the share from Flickr.
OUR_DATA = {("heads", 5037, 500): "80 %", ("heads", 7699, 583): "73 %"}
OURS = """\
The dogs' heads were cut out of photos of the "dog emotions" set (Flickr, {flickr}, no licence stated) and of subsets of
Stanford Dogs and of Kaggle's Dogs vs. Cats. The photos themselves are not part of this repository. The weights are for
**research and other non-commercial use**."""
THEIRS = """\
Trained on the {train} pictures of a folder named `{folder}`, which are not part of this repository. Whoever trained it
has not said under which licence they are: ask before you use the weights."""
TRUNK = (
    " `encoder.trunk.*` holds EfficientNet-Lite0 (Apache-2.0, The TensorFlow Authors), BatchNorm folded in; see NOTICE."
)


def front_matter(metrics: dict, ours: bool) -> ModelCardData:
    """What the Hub reads of the card."""
    drawn, rebuilt = metrics["samples"][metrics["headline_prior"]]["1.0"], metrics["reconstructions"]
    task, data = "unconditional-image-generation", f"{metrics['data']['val']} held-out pictures of dogs"
    numbers = [
        ("kid", drawn["kid_x1e3"], "Lite2-KID x1e3, random dogs"),
        ("kid", rebuilt["kid_x1e3"], "Lite2-KID x1e3, reconstructions"),
        ("psnr", rebuilt["psnr"], "PSNR dB, reconstructions"),
    ]
    results = [
        EvalResult(task, "image-folder", data, metric_type=kind, metric_value=value, metric_name=name)
        for kind, value, name in numbers
    ]
    written = ModelCardData(
        model_name=f"DogVAE {metrics['preset']}",
        library_name="pytorch",
        pipeline_tag="unconditional-image-generation",
        tags=["vae", "dogs", "image-generation"],
        eval_results=results,
        license="other" if ours else "unknown",
    )
    if ours:
        written.license_name = "non-commercial-research"
    return written


def tables(metrics: dict) -> str:
    """Reconstructions and random dogs of this model beside the anchors, as Markdown."""
    prior = metrics["headline_prior"]
    mine, drawn = metrics["reconstructions"], metrics["samples"][prior]["1.0"]
    rebuilt = [("reconstructions", mine), ("*blurred photos*", metrics["anchors"]["blurred"]["reconstructions"])]
    source = "N(0, I)" if prior == "normal" else "the fitted prior"
    random = [(f"random dogs from {source}", drawn), ("*real dogs*", metrics["anchors"]["real"]["samples"])]
    lines = table(
        ["", "KID x1e3", "perceptual distance", "PSNR dB", "SSIM", "sharpness"],
        [
            [name, kid(m), f"{m['perceptual']:.3f}", f"{m['psnr']:.2f}", f"{m['ssim']:.3f}", f"{m['sharpness']:.2f}"]
            for name, m in rebuilt
        ],
    )
    lines += ["", *table(
        ["", "KID x1e3", "diversity", "memorisation", "sharpness"],
        [
            [name, kid(m), f"{m['diversity']:.2f}", f"{m['memorisation']:.1%}", f"{m['sharpness']:.2f}"]
            for name, m in random
        ],
    )]
    return "\n".join(lines)


def card(folder: Path, name: str | None = None) -> str:
    """The card's text. name: by which `load` takes the weights, where that is not the folder's.

    Raises PlainError where metrics.json is missing or of another form.
    """
    try:
        return _fill_in(folder, name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{folder} has no metrics.json that says enough for a card ({error})"
        raise PlainError(f"{why}; run python -m training.evaluate --write-metrics on it first.") from None


def _fill_in(folder: Path, name: str | None) -> str:
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    title, about = ABOUT.get(metrics["preset"], ABOUT["dogvae"])
    source = Path(metrics["data"]["folder"]).name
    counts, train = metrics["data"], f"{metrics['data']['train']:,}"
    ours = OUR_DATA.get((source, counts["train"], counts["val"]))
    return CARD.format(
        head=front_matter(metrics, bool(ours)).to_yaml(),
        title=title,
        about=about.format(kl=config.get("kl")),
        name=name or folder,
        size=config["image_size"],
        dim=config["latent_dim"],
        val=metrics["data"]["val"],
        different=f"{metrics.get('pictures') or counts['train']:,}",
        command=metrics["command"],
        table=tables(metrics),
        images=f"{metrics['images']:,}" if metrics["images"] else "an unknown number of",
        minutes=f"{metrics['minutes']:.1f}".removesuffix(".0") if metrics["minutes"] else "an unknown number of",
        where=where(metrics, bool(ours)),
        data=OURS.format(flickr=ours) if ours else THEIRS.format(train=train, folder=source),
        trunk=TRUNK if config["network"] == "residual" else "",
    )


def where(metrics: dict, ours: bool) -> str:
    """What the weights were trained on, as the end of a sentence. Until 0.2 it was not noted."""
    if metrics.get("device") in (None, "CPU"):
        return " on two CPU cores that were busy with other\nwork too" if ours else ""
    return f" on {metrics['processes']} x {metrics['device']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, nargs="+", type=Path, help="folders with a metrics.json")
    for folder in parser.parse_args().weights:
        with one_sentence(unwritten("The card")):
            write_whole(folder / "README.md", card(folder).encode())


if __name__ == "__main__":
    main()
