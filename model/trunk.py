"""EfficientNet-Lite: the frozen network whose features the encoder reads and the losses compare.

Architecture: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite (Apache-2.0).
It is never trained here, so each BatchNorm is already folded into the convolution before it; training/
does that once, from the published ImageNet weights, and what is left is convolutions and ReLU6.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KERNELS = (3, 3, 5, 3, 5, 5, 3)  # one entry a stage
STRIDES = (1, 2, 2, 2, 1, 2, 1)
TAPS = (0, 1, 2, 4, 6)  # the last stages at strides 2, 4, 8, 16 and 32

LITE0 = {"channels": (16, 24, 40, 80, 112, 192, 320), "repeats": (1, 2, 2, 3, 3, 4, 1)}
LITE2 = {"channels": (16, 24, 48, 88, 120, 208, 352), "repeats": (1, 3, 3, 4, 4, 5, 1)}
LITE0_CHANNELS = tuple(LITE0["channels"][stage] for stage in TAPS)  # 16, 24, 40, 112 and 320, of its five feature maps


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME does: on even sizes, stride 2 starts one pixel further in.

    Depthwise, on a CPU, a stride of 2 is computed as every second output of a stride of 1: PyTorch's CPU kernel for
    the backward pass of a strided depthwise convolution is three times slower than doing the work twice over.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups)
        self.every = stride

    def forward(self, x: Tensor) -> Tensor:
        if self.every == 1:
            return super().forward(x)
        top, left = (1 - side % 2 for side in x.shape[-2:])  # pixels further in
        if self.groups > 1 and x.device.type == "cpu":
            return super().forward(x)[:, :, top :: self.every, left :: self.every]
        reach = self.kernel_size[0] // 2
        padded = F.pad(x, (reach - left, reach, reach - top, reach))
        return F.conv2d(padded, self.weight, self.bias, stride=self.every, groups=self.groups)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project (MobileNetV2's block)."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        hidden = in_channels * expansion
        self.expand = SameConv(in_channels, hidden, 1) if expansion > 1 else None
        self.depthwise = SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = SameConv(hidden, out_channels, 1)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        h = x if self.expand is None else F.relu6(self.expand(x))
        h = self.project(F.relu6(self.depthwise(h)))
        return x + h if self.residual else h


class EfficientNetLite(nn.Module):
    """The convolutional part of EfficientNet-Lite.

    forward: x [B, 3, S, S] in [-1, 1] -> five feature maps, at strides 2, 4, 8, 16 and 32
    (with LITE0_CHANNELS channels, for lite0).
    """

    def __init__(self, channels: tuple[int, ...], repeats: tuple[int, ...]):
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        self.stages = nn.ModuleList()
        before = 32
        for i, (after, repeat) in enumerate(zip(channels, repeats)):
            expansion = 1 if i == 0 else 6
            blocks = [InvertedResidual(before, after, KERNELS[i], STRIDES[i], expansion)]
            blocks += [InvertedResidual(after, after, KERNELS[i], 1, expansion) for _ in range(repeat - 1)]
            self.stages.append(nn.Sequential(*blocks))
            before = after
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        h = (x * 127.5 + 0.5) / 128  # the published weights take (pixel - 127) / 128 of pixels 0..255
        h = F.relu6(self.stem(h))
        features = []
        for i, stage in enumerate(self.stages):
            h = stage(h)
            if i in TAPS:
                features.append(h)
        return features


def unit_normalize(features: Tensor) -> Tensor:
    """Each pixel's feature vector scaled to length 1, as LPIPS does (Zhang et al. 2018, arXiv:1801.03924)."""
    return features * torch.rsqrt(features.square().sum(dim=1, keepdim=True) + 1e-6)


def perceptual_distance(f: list[Tensor], g: list[Tensor]) -> Tensor:
    """LPIPS without learned weights (Zhang et al. 2018, arXiv:1801.03924), of each pair: [B].

    Squared distance of unit-normalised feature vectors, averaged over the picture, summed over the strides.
    """
    apart = (unit_normalize(a.float()) - unit_normalize(b.float()) for a, b in zip(f, g))
    return sum((d.square().sum(1).mean((1, 2)) for d in apart), torch.zeros(()))
