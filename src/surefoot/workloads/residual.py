"""The residual network for images of 32x32, of any width and depth.

Notable choices:
- Of the two nets of He et al. (2016) this is the one for ImageNet (18 layers, four stages) with the stem of the other,
  for CIFAR: one 3x3 convolution and no pooling, since 32x32 is small already. Width 64 and depth 2 make ResNet-18.
- Where a stage changes the size, a 1x1 convolution carries the input past the block (option B of the paper).
- Dropout stands before the classifier, and nowhere else: in the blocks batch norm would see what it removes.
- A convolution has a bias only where no norm follows it.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional

from surefoot.workloads.networks import CLASSES, normalisation

STAGES = 4


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with their norms, added to what came in. Source: He et al. (2016), figure 2."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, outputs, 3, stride, norm)
        self.norm1 = _norm(norm, outputs)
        self.conv2 = _convolution(outputs, outputs, 3, 1, norm)
        self.norm2 = _norm(norm, outputs)
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut.add_module("conv", _convolution(inputs, outputs, 1, stride, norm))
            self.shortcut.add_module("norm", _norm(norm, outputs))

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps, a `stride`th as high and wide."""
        hidden = functional.relu(self.norm1(self.conv1(images)), inplace=True)
        residual: Tensor = self.norm2(self.conv2(hidden))
        return functional.relu(residual + self.shortcut(images), inplace=True)


def residual(
    width: int, depth: int, norm: str = "batch", dropout: float = 0.0, *, shape: tuple[int, int, int] = (3, 32, 32)
) -> nn.Sequential:
    """Four stages of `depth` blocks, of `width` channels in the first and twice as many in each that follows.

    `shape` is (channels, height, width). Raises ValueError where the norm does not fit the width.
    """
    channels = shape[0]
    net: OrderedDict[str, nn.Module] = OrderedDict()
    net["stem"] = _convolution(channels, width, 3, 1, norm)
    net["stem_norm"] = _norm(norm, width)
    net["stem_relu"] = nn.ReLU(inplace=True)
    inputs = width
    for stage in range(STAGES):
        outputs = width * 2**stage
        for block in range(depth):
            stride = 2 if stage and not block else 1
            net[f"stage{stage}_block{block}"] = ResidualBlock(inputs, outputs, stride, norm)
            inputs = outputs
    net["pool"] = nn.AdaptiveAvgPool2d(1)
    net["flatten"] = nn.Flatten()
    if dropout > 0:
        net["dropout"] = nn.Dropout(dropout)
    net["out"] = nn.Linear(inputs, CLASSES)
    return nn.Sequential(net)


def _convolution(inputs: int, outputs: int, size: int, stride: int, norm: str) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=norm == "none")


def _norm(norm: str, channels: int) -> nn.Module:
    return nn.Identity() if norm == "none" else normalisation(norm, channels)
