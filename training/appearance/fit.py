"""Ways through latent space that change one measure of a picture and leave the others as they are.

Each measure is foretold from a dog's coordinates by ridge regression. The way to change it is the shortest that the
others' predictions do not notice (conditional manipulation, InterFaceGAN: Shen et al. 2020, arXiv:2005.09635): in
coordinates, where random dogs vary alike in all directions, so that the shortest way leads to the likeliest dog.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from model import DogVAE, Latents
from model.latents import Breeds, Looks

from .draws import Eye, Seen
from .measures import MEASURES, NAMES, Scale
from .names import BREEDS

RIDGE = 0.03  # of the number of draws
SLACK = 0.03  # how softly the others are held: without it, measures that go together would need long ways
SEED = 2_000_000  # of the draws that are fitted to; those before it are for trying what was fitted
REACH = 2.0  # standard deviations to either side, between which a Look's change is measured
TRIED = 24  # random dogs on which it is
HELD = ("head", "mouth", "light", "picture")  # what a dog's breed does not say
STEPS = (0.0, 1.0, 2.0, 3.0)  # how far a draw is moved toward its breed to be the example of it
CLEAR = 0.5  # the least correlation with a measure that gives a direction its name


@dataclass
class Draws:
    """Random dogs: their coordinates [N, D], what is seen in them, and the scale of their measures."""

    c: Tensor
    seen: Seen
    scale: Scale


def draw(vae: DogVAE, eye: Eye, count: int) -> Draws:
    z = vae.latents.sample(count, seed=SEED)
    seen = eye.draw(z, "drawing")
    return Draws(vae.latents.coordinates(z), seen, Scale.of(seen.measures))


def regress(c: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Ridge regression of values [N, K] on coordinates [N, D] -> readings [K, D], levels [K]: c . reading + level."""
    c_mean, mean = c.mean(0), values.mean(0)
    centred = c - c_mean
    gram = centred.T @ centred + RIDGE * len(c) * torch.eye(c.shape[1])
    readings = torch.linalg.solve(gram, centred.T @ (values - mean)).T
    return readings, mean - readings @ c_mean


def way(reading: Tensor, held: Tensor) -> Tensor:
    """The shortest way [D] along which a reading [D] grows by 1 and those held [M, D] hardly change."""
    rows = torch.cat([reading[None], held])
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-6)
    slack = torch.full((len(rows),), SLACK)
    slack[0] = 1e-4
    first = torch.eye(len(rows))[0]
    along = rows.T @ torch.linalg.solve(rows @ rows.T + slack.diag(), first)
    return along / (reading @ along)


def fit_looks(latents: Latents, draws: Draws) -> Looks:
    """A Look of each measure, whether it is worth showing or not."""
    readings, levels = regress(draws.c, draws.scale(draws.seen.measures))
    behind, of_dog = background(draws), torch.tensor([not measure.background for measure in MEASURES])
    kept, free = [], []
    for k, measure in enumerate(MEASURES):
        other = torch.arange(len(readings)) != k
        if measure.background:
            kept.append(way(readings[k], readings[other]))
            free.append(kept[-1])
        else:
            kept.append(way(readings[k], torch.cat([readings[other], behind])))
            free.append(way(readings[k], readings[other & of_dog]))
    reading, level, keep, go = in_latents(latents, readings, levels, torch.stack(kept), torch.stack(free))
    return Looks(list(NAMES), reading, level, keep, go, [list(measure.ends) for measure in MEASURES])


def fit_breeds(latents: Latents, eye: Eye, draws: Draws) -> Breeds:
    """A way toward each breed, an example of it, and what tells breeds.

    The example is the draw in which most of its breed is seen, moved on toward it as far as that helps.
    """
    logits = draws.seen.breeds
    readings, levels = regress(draws.c, standardised(logits - logits.mean(1, keepdim=True)))
    measures, _ = regress(draws.c, draws.scale(draws.seen.measures))
    of_pose = measures[[NAMES.index(name) for name in HELD]]
    of_background = torch.cat([measures[[measure.background for measure in MEASURES]], background(draws)])
    kept = torch.stack([way(reading, torch.cat([of_pose, of_background])) for reading in readings])
    free = torch.stack([way(reading, of_pose) for reading in readings])
    readings, levels, kept, free = in_latents(latents, readings, levels, kept, free)
    best = latents.from_coordinates(draws.c[logits.log_softmax(1).argmax(0)])
    tried = best[:, None] + torch.tensor(STEPS)[None, :, None] * kept[:, None]  # [K, steps, D]
    seen = eye.draw(tried.flatten(0, 1), "examples").breeds.softmax(1).view(len(kept), len(STEPS), -1)
    chosen = seen.diagonal(dim1=0, dim2=2).T.argmax(1)  # [K]
    examples = tried[torch.arange(len(kept)), chosen]
    return Breeds(list(BREEDS), readings, levels, kept, free, examples, **eye.classifier)


def background(draws: Draws) -> Tensor:
    """Readings [21, D] of the background's colours."""
    return regress(draws.c, standardised(draws.seen.background))[0]


def standardised(values: Tensor) -> Tensor:
    return (values - values.mean(0)) / values.std(0).clamp_min(1e-6)


def in_latents(
    latents: Latents, readings: Tensor, levels: Tensor, kept: Tensor, free: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What is fitted in coordinates -> the same in raw latents, as `Moves` has it."""
    raw = readings / latents.sd @ latents.directions
    kept, free = (one * latents.sd @ latents.directions for one in (kept, free))
    return raw, levels - raw @ latents.mean, kept, free


def changes(latents: Latents, eye: Eye, draws: Draws, looks: Looks) -> Tensor:
    """How far each Look, moved from -REACH to REACH, changes each measure [K, K], in standard deviations of random
    dogs: the mean over TRIED dogs that it was not fitted to."""
    dogs = latents.sample(TRIED, seed=SEED - 1)
    ends = torch.stack([-REACH * looks.kept, REACH * looks.kept])  # [2, K, D]
    z = dogs[:, None, None] + ends  # [N, 2, K, D]
    seen = draws.scale(eye.draw(z.flatten(0, 2), "trying").measures).view(*z.shape[:3], -1)
    return (seen[:, 1] - seen[:, 0]).mean(0)


def chosen(looks: Looks, change: Tensor) -> list[int]:
    """The Looks to show: those that change their own measure at least twice as much as any other. change [K, K], as
    `changes` returns it."""
    own, most, _ = own_and_most(change)
    return [k for k in range(len(looks.names)) if own[k] >= 2 * most[k]]


def own_and_most(change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each Look the change of its own measure, the largest of any other's, and which other that is, [K] each."""
    others = change.abs().clone()
    others.fill_diagonal_(0)
    return change.diagonal(), *others.max(1)


def only(looks: Looks, shown: list[int]) -> Looks:
    readings, levels, kept, free = (t[shown] for t in (looks.readings, looks.levels, looks.kept, looks.free))
    return Looks([looks.names[k] for k in shown], readings, levels, kept, free, [looks.ends[k] for k in shown])


def name_directions(draws: Draws) -> list[str]:
    """A name for each principal direction that goes with one measure; a number for each of the others."""
    c, values = standardised(draws.c), standardised(draws.scale(draws.seen.measures))
    correlation = c.T @ values / (len(c) - 1)  # [D, K]
    names = []
    for i, row in enumerate(correlation):
        k = int(row.abs().argmax())
        low, high = MEASURES[k].ends[:: 1 if row[k] > 0 else -1]
        names.append(f"{MEASURES[k].name}: {low} to {high}" if row[k].abs() >= CLEAR else f"direction {i + 1}")
    return names
