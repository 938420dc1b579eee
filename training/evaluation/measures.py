"""What evaluation measures, against real dogs that were looked at once.

All pictures are uint8 [N, 3, 128, 128], as they are shown; all features float32 [N, 1280], of
features.Judge, a network that no model here was trained on. Nothing here draws without a fixed seed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchmetrics.image.kid import poly_mmd
from torchvision.transforms.v2 import functional as TF
from tqdm import tqdm

from model.pixels import from_pixels

from ..data.folder import DataError, Pictures
from ..features import Judge
from .faces import Faces

SIZE = 128  # pixels a side, of every picture compared
BATCH = 64
KID_SUBSETS = 100
PAIRS = 300  # of pictures, for the diversity


class Reference:
    """Real dogs: what every model is held against, and the anchors beside it."""

    def __init__(self, train: Pictures, val: Pictures):
        if len(val) < 4:
            raise DataError(f"There are {len(val)} validation pictures; to compare with, at least 4 are needed.")
        self.train, self.real = train.pixels, val.pixels
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.batch = 64 if self.device.type == "cuda" else 8  # a CPU is half as fast again where it stays in cache
        self.judge = Judge().eval().to(self.device).to(memory_format=torch.channels_last)
        self.real_features = self.features(self.real, "looking at val")
        self.train_features = self.features(self.train, "looking at train")
        self.faces = Faces(self.real)
        self.sharpness = laplacian_variance(self.real).median().item()
        self.diversity = self.pairwise_distance(self.real)
        self.near = self.nearest(self.real_features)[0].quantile(0.05).item()

    @torch.inference_mode()
    def features(self, pixels: Tensor, doing: str) -> Tensor:
        """Pictures [N, 3, S, S] -> pooled features [N, 1280] on the CPU."""
        batches = tqdm(pixels.split(self.batch), doing, unit=" batches", leave=False)
        return torch.cat([self.judge(self._there(x)).cpu() for x in batches])

    @torch.inference_mode()
    def distances(self, a: Tensor, b: Tensor, doing: str) -> Tensor:
        """Perceptual distance [N] of each pair of pictures."""
        pairs = list(zip(a.split(self.batch), b.split(self.batch), strict=True))
        pairs = tqdm(pairs, doing, unit=" batches", leave=False)
        return torch.cat([self.judge.distance(*(from_pixels(self._there(x)) for x in p)).cpu() for p in pairs])

    def _there(self, x: Tensor) -> Tensor:
        return x.to(self.device).contiguous(memory_format=torch.channels_last)

    def nearest(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine distance [N] to the nearest training picture, and which one that is [N]."""
        similarity = F.normalize(features) @ F.normalize(self.train_features).T
        nearest = similarity.max(dim=1)
        return 1 - nearest.values, nearest.indices

    def recall(self, features: Tensor) -> float:
        """features [N, F] of pictures made from the validation pictures, in their order."""
        similarity = F.normalize(features) @ F.normalize(self.real_features).T
        return (similarity.argmax(dim=1) == torch.arange(len(features))).float().mean().item()

    def pairwise_distance(self, pixels: Tensor) -> float:
        """Mean perceptual distance of random pairs of different pictures."""
        generator = torch.Generator().manual_seed(0)
        n = len(pixels)
        first = torch.randint(n, (PAIRS,), generator=generator)
        second = (first + torch.randint(1, n, (PAIRS,), generator=generator)) % n
        return self.distances(pixels[first], pixels[second], "comparing pairs").mean().item()

    def _against_real(self, pixels: Tensor, features: Tensor, paired: bool) -> dict[str, float]:
        mean, std = kernel_distance(self.real_features, features, paired)
        return {
            "kid_x1e3": mean * 1e3,
            "kid_std_x1e3": std * 1e3,
            "sharpness": laplacian_variance(pixels).median().item() / self.sharpness,
            "dog_rate": self.judge.dog_rate(features.to(self.device)),
        }

    def of_reconstructions(self, pixels: Tensor) -> dict[str, float]:
        """Picture i against validation picture i. psnr in dB, sharpness as a share of real.

        recall: share of the pictures whose nearest photo, by cosine distance of pooled features, is their own.
        """
        features = self.features(pixels, "looking at reconstructions")
        chunks = list(zip(pixels.float().split(BATCH), self.real.float().split(BATCH), strict=True))
        psnr = torch.cat([peak_signal_noise_ratio(*two, 255.0, reduction="none", dim=(1, 2, 3)) for two in chunks])
        ssim = torch.cat([similarity(*two) for two in chunks])
        distance = self.distances(pixels, self.real, "comparing reconstructions")
        return self._against_real(pixels, features, paired=True) | {
            "perceptual": distance.mean().item(),
            "psnr": psnr.mean().item(),
            "ssim": ssim.mean().item(),
            "recall": self.recall(features),
        }

    def of_samples(self, pixels: Tensor, features: Tensor | None = None, paired: bool = False) -> dict[str, float]:
        """sharpness and diversity as a share of real.

        memorisation: share whose nearest training picture is nearer than the nearest one of all but 5 % of
        real pictures; 0.05 is thus what dogs that were never seen get. It sees through a shift and a
        mirror, less so through a strong blur. whole: share with eyes and nose as sure as on 95 of 100 photos.
        """
        features = self.features(pixels, "looking at samples") if features is None else features
        return self._against_real(pixels, features, paired) | {
            "diversity": self.pairwise_distance(pixels) / self.diversity,
            "memorisation": (self.nearest(features)[0] < self.near).float().mean().item(),
            "whole": self.faces.whole(pixels),
        }

    def anchors(self, count: int) -> dict[str, dict]:
        """What perfect, soft and worthless pictures get; each has the numbers of reconstructions and of samples."""
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(0))[:count]
        real = self.of_samples(self.train[order], self.train_features[order])
        real["memorisation"] = (self.nearest(self.real_features)[0] < self.near).float().mean().item()
        blurred = TF.gaussian_blur(self.real.float(), kernel_size=[17, 17], sigma=[2.0, 2.0]).round().to(torch.uint8)
        mean = sum(x.double().sum(0) for x in self.train.split(BATCH)) / len(self.train)
        mean = mean.round().to(torch.uint8).expand_as(self.real)
        return {
            "real": {"samples": real},
            "blurred": {
                "reconstructions": self.of_reconstructions(blurred),
                "samples": self.of_samples(blurred, paired=True),
            },
            "mean": {"reconstructions": self.of_reconstructions(mean), "samples": self.of_samples(mean)},
        }


def laplacian_variance(pixels: Tensor) -> Tensor:
    """Sharpness of each picture [N]: the variance of the Laplacian of its luma (Pech-Pacheco et al. 2000)."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    rgb = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    chunks = [F.conv2d((x.float() * rgb).sum(1, keepdim=True), kernel).var((1, 2, 3)) for x in pixels.split(BATCH)]
    return torch.cat(chunks)


def similarity(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of each pair [N] (Wang et al. 2004)."""
    ssim = structural_similarity_index_measure(x, y, reduction="none", data_range=255.0)
    assert isinstance(ssim, Tensor)  # a pair of tensors only where more is asked for
    return ssim.view(-1)


def subset_size(real: int, other: int) -> int:
    return min(1000, real // 2, other // 2)


def kernel_distance(real: Tensor, other: Tensor, paired: bool = False) -> tuple[float, float]:
    """Kernel inception distance of two sets of features (Binkowski et al. 2018, arXiv:1801.01401): mean, std.

    Unbiased, cubic kernel, 100 random subsets of at most half of either set. paired: other[i] was made from
    real[i]; then no subset holds both, which would make the two sets look closer than they are.
    """
    size = subset_size(len(real), len(other))
    real, other = real.double(), other.double()
    generator = torch.Generator().manual_seed(0)
    values = []
    for _ in range(KID_SUBSETS):
        i = torch.randperm(len(real), generator=generator)
        j = i.flip(0) if paired else torch.randperm(len(other), generator=generator)
        values.append(poly_mmd(real[i[:size]], other[j[:size]]))
    return torch.stack(values).mean().item(), torch.stack(values).std().item()
