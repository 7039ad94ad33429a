"""The nano detector in PyTorch: seconds of a call, and the same network as an ONNX file."""

import torch
from timing import run, seconds_of_faster_layout
from torch import nn
from torch.nn.functional import interpolate, max_pool2d

WIDTHS, DEPTHS = (16, 32, 64, 128, 256), (1, 2, 2, 1)
HEAD, CLASSES, DISTANCES = 64, 80, 64


def measure(side: int, batch: int, file: str = "") -> dict[str, float]:
    """{"seconds": median seconds of a call, "parameters": their number}.

    Args:
        side: pixels of the images.
        batch: images at a time.
        file: path of an ONNX file to write; "" for none.
    """

    def call(layout: torch.memory_format):
        model = Detector().eval().to(memory_format=layout)
        images = torch.rand(batch, 3, side, side).to(memory_format=layout)
        return torch.inference_mode()(lambda: model(images))

    model = Detector().eval()
    if file:
        torch.onnx.export(
            model,
            (torch.rand(1, 3, side, side),),
            file,
            input_names=["images"],
            dynamic_axes={"images": {0: "batch"}},
            dynamo=False,
        )
    return {
        "seconds": seconds_of_faster_layout(call),
        "parameters": sum(weight.numel() for weight in model.parameters()),
    }


def convolution(channels: int, filters: int, kernel_size: int = 3, stride: int = 1) -> nn.Module:
    """Convolution, batch normalisation, SiLU."""
    return nn.Sequential(
        nn.Conv2d(channels, filters, kernel_size, stride, kernel_size // 2, bias=False),
        nn.BatchNorm2d(filters, eps=1e-3),
        nn.SiLU(),
    )


class Csp(nn.Module):
    """The cross-stage partial block."""

    def __init__(self, channels: int, filters: int, depth: int, shortcut: bool):
        super().__init__()
        width = max(filters // 2, 16)
        self.shortcut = shortcut
        self.divide = convolution(channels, 2 * width, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(convolution(width, width), convolution(width, width))
            for _ in range(depth)
        )
        self.join = convolution((2 + depth) * width, filters, 1)

    def forward(self, x):
        both = self.divide(x)
        parts, x = [both], both.chunk(2, dim=1)[1]
        for block in self.blocks:
            x = x + block(x) if self.shortcut else block(x)
            parts.append(x)
        return self.join(torch.cat(parts, dim=1))


class Detector(nn.Module):
    """Images (B, 3, H, W) in 0..1 to class logits and box logits of every anchor."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(3, WIDTHS[0], 3, 2)
        self.stages = nn.ModuleList(
            nn.Sequential(convolution(channels, width, 3, 2), Csp(width, width, depth, True))
            for channels, width, depth in zip(WIDTHS[:-1], WIDTHS[1:], DEPTHS, strict=True)
        )
        fine, middle, coarse = WIDTHS[2:]
        self.reduce, self.mix = (
            convolution(coarse, coarse // 2, 1),
            convolution(2 * coarse, coarse, 1),
        )
        self.down = nn.ModuleList(
            [Csp(coarse + middle, middle, 1, False), Csp(middle + fine, fine, 1, False)]
        )
        self.reducers = nn.ModuleList(
            [convolution(fine, fine, 3, 2), convolution(middle, middle, 3, 2)]
        )
        self.up = nn.ModuleList(
            [Csp(fine + middle, middle, 1, False), Csp(middle + coarse, coarse, 1, False)]
        )
        self.heads = nn.ModuleList(
            nn.ModuleList(
                nn.Sequential(
                    convolution(width, HEAD), convolution(HEAD, HEAD), nn.Conv2d(HEAD, outputs, 1)
                )
                for outputs in (CLASSES, DISTANCES)
            )
            for width in (fine, middle, coarse)
        )

    def forward(self, x):
        x, maps = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        _, fine, middle, coarse = maps
        fine, middle, coarse = self.aggregated(fine, middle, self.pooled(coarse))
        outputs = []
        for heads, x in zip(self.heads, (fine, middle, coarse), strict=True):
            outputs.append([head(x).flatten(2).transpose(1, 2) for head in heads])
        return tuple(torch.cat(parts, dim=1) for parts in zip(*outputs, strict=True))

    def pooled(self, x):
        """Pyramid pooling."""
        maps = [self.reduce(x)]
        for _ in range(3):
            maps.append(max_pool2d(maps[-1], 5, 1, 2))
        return self.mix(torch.cat(maps, dim=1))

    def aggregated(self, fine, middle, coarse):
        """Path aggregation: down, then up."""
        middle = self.down[0](torch.cat([interpolate(coarse, scale_factor=2.0), middle], dim=1))
        fine = self.down[1](torch.cat([interpolate(middle, scale_factor=2.0), fine], dim=1))
        middle = self.up[0](torch.cat([self.reducers[0](fine), middle], dim=1))
        coarse = self.up[1](torch.cat([self.reducers[1](middle), coarse], dim=1))
        return fine, middle, coarse


if __name__ == "__main__":
    run(measure)
