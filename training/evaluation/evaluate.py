"""Measure how a model rebuilds dogs that it has not seen, and how real the dogs are that it invents.

    python -m training.evaluate --weights weights/classic weights/dogvae --data ../shared/data/heads --json metrics.json

Everything but sharpness is compared with the validation pictures at 128 px, as bytes, and beside three anchors: real
pictures, real ones blurred, and their mean. The network that compares was never trained on (features.Judge),
so these are "Lite2-KIDs", not to be set against published FIDs or KIDs. The same command prints the same
numbers: every draw has a fixed seed.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as TF
from torchvision.utils import make_grid
from tqdm import tqdm

from hub import sha256, sha256_of_tensors
from model import DogFinder, DogVAE, WeightsError, load
from model.files import write_whole
from model.pixels import from_pixels, to_file, to_picture, to_pixels
from model.vae import kl_divergence

from ..command import one_sentence, unwritten
from ..data.folder import Pictures, load_splits
from ..finder.views import read_labels
from ..pictures import save_grid
from ..tables import kid, table, write_json
from .measures import BATCH, KID_SUBSETS, SIZE, Reference, laplacian_variance, subset_size
from .uncropped import of_photos

TEMPERATURES = (1.0, 0.7)
# The prior that a preset's makers would draw from; of the others it is the fitted one.
HEADLINE = dict.fromkeys(("classic", "vae", "autoencoder", "small"), "normal")
NEARER_BATCH = 8  # pictures that descend together
EDITED, EDIT_DIRECTIONS, EDIT_SD = 100, 10, 1.5  # dogs that are edited, along how many directions, and how far
ACROSS = 12  # pictures in a row of a grid that shows photos


def comparable(pixels: Tensor) -> Tensor:
    """Pictures uint8 [N, 3, S, S] -> uint8 [N, 3, 128, 128]."""
    if pixels.shape[-1] == SIZE:
        return pixels
    how = {"size": [SIZE, SIZE], "interpolation": TF.InterpolationMode.BICUBIC, "antialias": True}
    return torch.cat([TF.resize(x, **how) for x in pixels.split(BATCH)])


def encode(vae: DogVAE, own: Pictures) -> tuple[Tensor, Tensor | None]:
    """mu, logvar [N, D] of the validation pictures, of the model's own size."""
    batches = tqdm(range(0, len(own), BATCH), "encoding", unit=" batches", leave=False)
    mus, logvars = zip(*(vae.encode(own.floats(slice(start, start + BATCH))) for start in batches))
    return torch.cat(mus).cpu(), None if logvars[0] is None else torch.cat(logvars).cpu()


def draw(vae: DogVAE, z: Tensor) -> Tensor:
    """Latents [N, D] -> pictures uint8 [N, 3, S, S]."""
    batches = tqdm(z.split(BATCH), "drawing", unit=" batches", leave=False)
    return torch.cat([to_pixels(vae.decode(batch)).cpu() for batch in batches])


def bring_nearer(vae: DogVAE, own: Pictures, mu: Tensor, steps: int) -> Tensor:
    """The latents [N, D] of the validation pictures after so many steps of `vae.nearer`."""
    starts = tqdm(range(0, len(own), NEARER_BATCH), "descending", unit=" batches", leave=False)
    parts = (slice(start, start + NEARER_BATCH) for start in starts)
    return torch.cat([vae.nearer(own.floats(part), mu[part], steps).cpu() for part in parts])


def edited(vae: DogVAE, z: Tensor) -> Tensor:
    """The first dogs of latents [N, D], each moved both ways along each of the directions that matter most: [M, D]."""
    c = vae.latents.coordinates(z[:EDITED])
    moves = EDIT_SD * torch.eye(c.shape[1])[:EDIT_DIRECTIONS]
    return vae.latents.from_coordinates((c[:, None] + torch.cat([moves, -moves])).flatten(0, 1))


def of_nearer(vae: DogVAE, own: Pictures, mu: Tensor, steps: int, reference: Reference) -> tuple[Tensor, dict]:
    """Reconstructions after so many steps of descent, and what is measured of them; of edits, from there and from the
    encoder's first answers ("edits", "edits_at_first")."""
    z = bring_nearer(vae, own, mu, steps)
    closer = draw(vae, z)
    edits = {name: draw(vae, edited(vae, start)) for name, start in (("edits_at_first", mu), ("edits", z))}
    measured = {"steps": steps} | reference.of_reconstructions(comparable(closer))
    return closer, measured | {name: reference.of_samples(comparable(drawn)) for name, drawn in edits.items()}


def evaluate(
    vae: DogVAE, own: Pictures, reference: Reference, count: int, grids: Path | None = None, nearer: int = 0
) -> dict:
    """All that is measured of one model; own: the validation pictures at the model's own size.

    nearer: reconstructions are measured after so many steps of descent, too.

    Sharpness is measured at that size, against the photos that are no enlargements (`Pictures.sharp`); where there are
    none, against all.
    """
    mu, logvar = encode(vae, own)
    rebuilt = draw(vae, mu)
    sharp = own.sharp if own.sharp.any() else torch.ones(len(own), dtype=torch.bool)
    hair = laplacian_variance(own.pixels[sharp]).median().item()
    headline = HEADLINE.get(vae.config.preset, "fitted")
    measured = reference.of_reconstructions(comparable(rebuilt))
    measured["sharpness"] = laplacian_variance(rebuilt[sharp]).median().item() / hair
    result: dict = {
        "preset": vae.config.preset,
        "image_size": vae.config.image_size,
        "headline_prior": headline,
        "reconstructions": measured,
        # Burda et al. 2016, arXiv:1509.00519: a unit is active if its mean varies with the picture.
        "active_units": int((mu.var(dim=0) > 0.01).sum()),
        "latent_dim": vae.config.latent_dim,
        "kl_nats": None if logvar is None else kl_divergence(mu, logvar).sum(1).mean().item(),
        "samples": {},
    }
    if nearer:
        closer, result["nearer"] = of_nearer(vae, own, mu, nearer, reference)
        result["nearer"]["sharpness"] = laplacian_variance(closer[sharp]).median().item() / hair
    for prior in ("fitted", "normal"):
        for temperature in TEMPERATURES:
            full = draw(vae, vae.latents.sample(count, temperature, seed=0, prior=prior))
            drawn = comparable(full)
            features = reference.features(drawn, f"looking at samples, {prior} prior, {temperature}")
            measured = reference.of_samples(drawn, features)
            measured["sharpness"] = laplacian_variance(full).median().item() / hair
            result["samples"].setdefault(prior, {})[str(temperature)] = measured
            if grids and prior == headline and temperature == 1.0:
                neighbours = reference.train[reference.nearest(features)[1]]
                tag = f"{vae.config.preset}-{vae.weights_id[:6]}"
                save_photo_grids(grids, tag, reference.real, comparable(rebuilt), drawn, neighbours)
    return result


def save_photo_grids(folder: Path, tag: str, real: Tensor, rebuilt: Tensor, drawn: Tensor, neighbours: Tensor) -> None:
    """Real above rebuilt, and drawn above its nearest training picture: three pairs of rows each."""
    for name, above, below in (("reconstructions", real, rebuilt), ("neighbours", drawn, neighbours)):
        pairs = zip(above.split(ACROSS), below.split(ACROSS), strict=True)
        rows = [from_pixels(x) for pair in pairs for x in pair]
        save_grid([row for row in rows if len(row) == len(rows[0])][:6], folder / f"{tag}-{name}.png")


def save_samples(vae: DogVAE, prior: str, path: Path) -> None:
    """The dogs of seeds 0 to 63 at temperature 1, as they come, at their own size. WebP, as a PNG would take 8 MB."""
    z = torch.cat([vae.latents.sample(1, seed=seed, prior=prior) for seed in range(64)])
    grid = make_grid(from_pixels(draw(vae, z)), nrow=8, padding=2, pad_value=1)
    write_whole(path, to_file(to_picture(grid), "WEBP", quality=85))


def tables(result: dict) -> str:
    """Everything that was measured, as Markdown tables."""
    about = f"{result['data']['val']} dogs that were not trained on ({result['data']['folder']})"
    return "\n".join(
        [
            f"Reconstructions of {about}:",
            "",
            *reconstructions_table(result["models"], result["anchors"]),
            "",
            f"Random dogs, {result['count']:,} of each kind (bold: as the makers would draw them):",
            "",
            *samples_table(result["models"], result["anchors"]),
            *edits_table(result["models"]),
            *uncropped_table(result["models"]),
        ]
    )


def reconstructions_table(models: list[dict], anchors: dict) -> list[str]:
    columns = {"KID x1e3": "kid", "perceptual": "perceptual:.3f", "PSNR dB": "psnr:.2f", "SSIM": "ssim:.3f"}
    columns |= {"recall": "recall:.1%", "sharpness": "sharpness:.2f", "dog rate": "dog_rate:.1%"}
    about = {"active units": "active_units:d", "KL nats": "kl_nats:.0f"}
    about |= {"images": "images:,d", "minutes": "minutes:.1f"}
    none = [""] * len(about)
    rows = [[f"*{n} picture*", *cells(anchors[n]["reconstructions"], columns), *none] for n in ("blurred", "mean")]
    for m in models:
        rows.append([m["folder"], *cells(m["reconstructions"], columns), *cells(m, about)])
        if "nearer" in m:
            rows.append([f"nearer by {m['nearer']['steps']} steps", *cells(m["nearer"], columns), *none])
    return table(["", *columns, *about], rows)


def samples_table(models: list[dict], anchors: dict) -> list[str]:
    columns = {"KID x1e3": "kid", "sharpness": "sharpness:.2f", "dog rate": "dog_rate:.1%"}
    columns |= {"diversity": "diversity:.2f", "memorisation": "memorisation:.1%", "whole": "whole:.1%"}
    rows = [[f"*{name} picture*", "", "", *cells(anchors[name]["samples"], columns)] for name in anchors]
    for m in models:
        for prior, by_temperature in m["samples"].items():
            for temperature, measured in by_temperature.items():
                bold = prior == m["headline_prior"] and temperature == "1.0"
                name = f"**{m['folder']}**" if bold else m["folder"]
                rows.append([name, prior, temperature, *cells(measured, columns)])
    return table(["", "prior", "temperature", *columns], rows)


def edits_table(models: list[dict]) -> list[str]:
    """Whether sliders still draw dogs after the descent, if it was measured."""
    names = {"edits_at_first": "the encoder's first answer", "edits": "nearer"}
    measured = [[f"{m['folder']}, {names[k]}", m["nearer"][k]] for m in models if "nearer" in m for k in names]
    if not measured:
        return []
    lines = ["", f"Edits of {EDITED} dogs by ±{EDIT_SD} sd along {EDIT_DIRECTIONS} directions each, from", ""]
    columns = {"KID x1e3": "kid", "dog rate": "dog_rate:.1%", "diversity": "diversity:.2f"}
    return lines + table(["", *columns], [[name, *cells(m, columns)] for name, m in measured])


def uncropped_table(models: list[dict]) -> list[str]:
    """How much finding the head helps, if it was measured."""
    measured = [(m["folder"], m["uncropped"]) for m in models if "uncropped" in m]
    if not measured:
        return []
    count, missed = measured[0][1]["photos"], measured[0][1]["not_found"]
    lines = ["", f"Perceptual distance on {count} photos of whole dogs (head not found in {missed}), cut", ""]
    columns = {"by the finder": "finder:.3f", "in the middle": "centre_crop:.3f", "ratio": "ratio:.2f"}
    return lines + table(["", *columns], [[name, *cells(m, columns)] for name, m in measured])


def cells(values: dict, columns: dict[str, str]) -> list[str]:
    """columns: heading -> key of values, and how it is written; "kid" is a mean and its spread."""
    written = []
    for column in columns.values():
        key, _, form = column.partition(":")
        if key == "kid":
            written.append(kid(values))
        else:
            written.append("" if values.get(key) is None else format(values[key], form))
    return written


def training_facts(folder: Path, digest: str) -> dict:
    """Images seen, of how many different pictures, minutes of training and on what: from the run's log, else from an
    earlier metrics.json of these weights."""
    facts = dict.fromkeys(("images", "pictures", "minutes", "device", "processes"))
    try:
        if (folder / "log.jsonl").is_file():
            lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
            known = json.loads(lines[-1])
        else:
            known = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
            known = known if known["sha256"] == digest else {}
        return {k: known.get(k) for k in facts}
    except (OSError, ValueError, IndexError, KeyError):  # none, or cut off: then it is not known
        return facts


def measure_all(args: argparse.Namespace) -> dict:
    """Everything that --json holds. Raises WeightsError, DataError."""
    models: list[tuple[Path, DogVAE, str]] = []
    for name in args.weights:
        folder = Path(name)
        if not folder.is_dir():
            raise WeightsError(f"There is no folder {name}; --weights names folders of DogVAE weights.")
        vae = load(folder)
        models.append((folder, vae, sha256(folder / "model.safetensors")))
    train, val = load_splits(args.data, SIZE, progress=True)
    sizes = {vae.config.image_size for _, vae, _ in models} - {SIZE}
    own = {SIZE: val} | {size: load_splits(args.data, size, progress=True)[1] for size in sizes}
    reference = Reference(train, val)
    data = {"folder": str(args.data), "train": len(train), "val": len(val), "size": SIZE}
    shared = {
        "command": "python -m training.evaluate " + " ".join(args.argv),
        "judge": "EfficientNet-Lite2, ImageNet weights, pooled features; no model here was trained on it",
        "data": data | {"skipped": len(train.skipped) + len(val.skipped)},
        "count": args.samples,
        "kid": {"subsets": KID_SUBSETS, "subset_size": subset_size(len(val), args.samples)},
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "anchors": reference.anchors(args.samples),
    }
    dogs = [p for p in read_labels(args.photos, "test") if p.boxes] if args.photos else []
    finder = DogFinder() if dogs else None
    results = []
    for folder, vae, digest in tqdm(models, "models", unit=" models"):
        facts = {"folder": str(folder), "weights_id": vae.weights_id, "sha256": digest, "dtype": str(vae.dtype)}
        facts |= {"latents_sha256": sha256_of_tensors(folder / "latents.safetensors")} | training_facts(folder, digest)
        result = facts | evaluate(
            vae, own[vae.config.image_size], reference, args.samples, args.grids, args.nearer
        )
        if finder:
            result["uncropped"] = of_photos(vae, reference.judge, finder, dogs)
        results.append(result)
        if args.write_metrics:
            write_json(shared | result, folder / "metrics.json")
            save_samples(vae, result["headline_prior"], folder / "samples.webp")
    return shared | {"models": results}


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, nargs="+", metavar="DIR", help="folders of models")
    parser.add_argument("--data", required=True, help="the folder of pictures that they were trained on")
    parser.add_argument("--json", required=True, type=Path, metavar="FILE", help="where all numbers go")
    parser.add_argument("--samples", type=int, default=2000, help="random dogs of each kind (default 2000)")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos.csv and photos/: measure the finder's worth")
    steps = "measure reconstructions after so many steps of descent, too (default: 0, not at all)"
    parser.add_argument("--nearer", type=int, default=0, metavar="STEPS", help=steps)
    parser.add_argument("--grids", type=Path, metavar="DIR", help="write grids that show photos of --data")
    parser.add_argument("--write-metrics", action="store_true", help="metrics.json and samples into each DIR too")
    args = parser.parse_args(argv)
    args.argv = argv
    if args.samples < 4 or args.nearer < 0:
        parser.error("--samples is at least 4, --nearer at least 0.")
    if args.grids and "weights" in args.grids.resolve().parts:
        parser.error("--grids shows photos that may not be given away, so it can't lie inside weights/; use runs/.")
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse(sys.argv[1:] if argv is None else argv)
    with one_sentence(unwritten("The results")):
        args.json.parent.mkdir(parents=True, exist_ok=True)  # now, not after minutes of work
        result = measure_all(args)
        write_json(result, args.json)
        print(tables(result))


if __name__ == "__main__":
    main()
