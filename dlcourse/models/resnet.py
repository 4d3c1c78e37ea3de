"""Residual networks (He et al. 2015, arXiv:1512.03385) with section 4.2's stem for small images, 3.3's for large."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn

SMALL_IMAGE = 64  # pixels; up to this side the 7x7 stem would throw away three quarters of the picture or more


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut: [B, in, H, W] -> [B, out, H / stride, W / stride]."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(nn.Module):
    """The 18-layer residual network: images [B, C, H, W] -> logits [B, num_classes].

    Parameter names and start values are torchvision's, so weights can be exchanged with
    `torchvision.models.resnet18` (with the large stem and 3 channels).

    Args:
        num_classes: how many logits; the data set says it.
        in_channels: colour planes of an image; the data set says it.
        image_size: side of the images in pixels, which picks the stem; the data set says it.
        stem: small (3x3, stride 1, no pooling), large (7x7 stride 2 and max pooling), or auto: small up to 64 pixels.
        width: channels of the first stage; the later stages have 2, 4 and 8 times as many.
    """

    takes: ClassVar[str] = "images"

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 224,
        stem: Literal["auto", "small", "large"] = "auto",
        width: int = 64,
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, not {num_classes}")
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width}")
        small = stem == "small" or (stem == "auto" and image_size <= SMALL_IMAGE)
        self.conv1 = (
            nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
            if small
            else nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        )
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(width, width), BasicBlock(width, width))
        self.layer2 = nn.Sequential(BasicBlock(width, 2 * width, stride=2), BasicBlock(2 * width, 2 * width))
        self.layer3 = nn.Sequential(BasicBlock(2 * width, 4 * width, stride=2), BasicBlock(4 * width, 4 * width))
        self.layer4 = nn.Sequential(BasicBlock(4 * width, 8 * width, stride=2), BasicBlock(8 * width, 8 * width))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))
