"""Fit the latents of a model: mean, principal directions, their effect, and the priors.

    python -m training.fit --weights weights/dogvae --data ../shared/data/heads

Training ends with this; run it alone after changing the data.
"""

import argparse
from dataclasses import replace

import torch
from torch import Tensor
from tqdm import tqdm

from model import DogVAE, Latents, load
from model.latents import Basis, Mixture, Prior, Source, distance_law, numbered, principal_directions
from model.residual import shrink
from model.vae import kl_divergence

from .choosing import fit_chosen
from .command import one_sentence, unwritten, weights_here
from .data.folder import Pictures, load_splits
from .features import load_lite0, perceptual_distance
from .flow import ENOUGH, fit_flow

PROBES = 8  # dogs on which the effect of each direction is measured
# Of the mixture. Sixteen Gaussians over 32 directions have 9,000 numbers, fitted to 10,074 latents of 32 each.
COMPONENTS, WIDEST = 16, 32


def encode_all(
    vae: DogVAE, pictures: Pictures, mirrored: bool = False, batch: int = 64
) -> tuple[Tensor, Tensor | None]:
    """mu, logvar [N, D] float32 on the CPU, of every picture, or of its mirror image."""
    batches = (pictures.floats(slice(i, i + batch)) for i in range(0, len(pictures), batch))
    encoded = [vae.encode(x.flip(3) if mirrored else x) for x in batches]
    mu = torch.cat([mu.cpu() for mu, _ in encoded])
    if not vae.config.variational:
        return mu, None
    return mu, torch.cat([logvar.cpu() for _, logvar in encoded if logvar is not None])


def with_mirrored(vae: DogVAE, pictures: Pictures) -> tuple[Tensor, Tensor | None]:
    """mu, logvar [2, N, D] of every picture and of its mirror image: what training shows."""
    (mu, logvar), (mu2, logvar2) = encode_all(vae, pictures), encode_all(vae, pictures, mirrored=True)
    return torch.stack([mu, mu2]), None if logvar is None or logvar2 is None else torch.stack([logvar, logvar2])


def describe(mu: Tensor, logvar: Tensor | None) -> Latents:
    """The latents of pictures that are encoded [..., D], directions ordered by variance, effects not measured."""
    basis = describe_basis(mu, logvar)
    return Latents.of(basis, mixture=fit_mixture(basis, mu))


def describe_basis(mu: Tensor, logvar: Tensor | None) -> Basis:
    mu = mu.flatten(0, -2)
    mean, directions, sd = principal_directions(mu)
    kl = mu.var(0, correction=0) if logvar is None else kl_divergence(mu, logvar.flatten(0, -2)).mean(0)
    c = (mu - mean) @ directions.T / sd
    return Basis(mean, directions, sd, sd.clone(), kl, numbered(len(mean)), distance_law(c))


def fit_mixture(basis: Basis, mu: Tensor) -> Mixture:
    """Of latents [..., D], along the widest directions, by expectation-maximisation.

    Few pictures get fewer Gaussians: one for every 400.
    """
    from sklearn.mixture import GaussianMixture  # here, as it takes two seconds that not every command needs

    c = basis.coordinates(mu.flatten(0, -2))[:, basis.widest(WIDEST)]
    components = min(COMPONENTS, max(1, len(c) // 400))
    fitted = GaussianMixture(components, reg_covar=1e-2, random_state=0, max_iter=200).fit(c.double().numpy())
    weights, centres, covariances = (
        torch.from_numpy(values) for values in (fitted.weights_, fitted.means_, fitted.covariances_)
    )
    return Mixture(basis, weights.float(), centres.float(), torch.linalg.cholesky(covariances).float())


def fit_latents(vae: DogVAE, pictures: Pictures, progress: bool = False) -> Latents:
    """The latents of these pictures: directions ordered by effect, a mixture, a flow if there are enough of them, and
    the prior that chooses from the better of the two."""
    mu, logvar = with_mirrored(vae, pictures)
    basis = describe_basis(mu, logvar)
    effect = measure_effect(vae, basis, progress)
    order = effect.argsort(descending=True)
    basis = replace(basis, directions=basis.directions[order], sd=basis.sd[order], effect=effect[order])
    mixture = fit_mixture(basis, mu)
    priors: dict[str, Prior] = {"mixture": mixture}
    source: Source = mixture
    if mu.flatten(0, -2).shape[0] >= ENOUGH:
        priors["flow"] = source = fit_flow(basis, mu, logvar, progress)
    chosen, foretold = fit_chosen(vae, source, mu, progress)
    print(f"The prior that chooses foretells what comes out well: rank correlation {foretold:.2f} on draws held out.")
    return Latents.of(basis, **priors, chosen=chosen)


@torch.inference_mode()
def measure_effect(vae: DogVAE, basis: Basis, progress: bool = False) -> Tensor:
    """Mean perceptual distance [D] between the pictures at -2 and +2 sd along each direction.

    Measured round PROBES dogs drawn from the prior, each direction replaced and the others kept, on lite0.
    """
    trunk = load_lite0().to(vae.device, vae.dtype, memory_format=torch.channels_last)
    probes = torch.randn(PROBES, basis.dim, generator=torch.Generator().manual_seed(0))
    effects = []
    for direction in tqdm(range(basis.dim), "measuring", unit=" directions", leave=False, disable=not progress):
        low, high = probes.clone(), probes.clone()
        low[:, direction], high[:, direction] = -2, 2
        x = vae.decode(basis.from_coordinates(torch.cat([low, high])))
        x = shrink(x, vae.config.encoder_size)  # as the encoder sees it
        features = trunk(x.to(vae.dtype, memory_format=torch.channels_last))
        effects.append(perceptual_distance([f[:PROBES] for f in features], [f[PROBES:] for f in features]).mean())
    return torch.stack(effects).float().cpu()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True, help="folder of the model; its latents.safetensors is replaced")
    parser.add_argument("--data", required=True, help="the folder of pictures that it was trained on")
    args = parser.parse_args()
    with one_sentence(unwritten("The latents")):
        folder = weights_here(args.weights)
        vae = load(folder, latents=False)
        train, _ = load_splits(args.data, vae.config.image_size, progress=True)
        vae.latents = fit_latents(vae, train, progress=True)
        vae.latents.save(folder / "latents.safetensors")
    shares = ", ".join(f"{effect:.3f}" for effect in vae.latents.effect[:6])
    print(f"Fitted to {len(train)} pictures. Effect of the first directions: {shares}")


if __name__ == "__main__":
    main()
