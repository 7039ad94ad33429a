"""SRResNet x4 in PyTorch: seconds of enlarging one picture, or of a training step."""

import torch
from timing import improve, run, seconds_of_faster_layout
from torch import nn

WIDTH, BLOCKS = 64, 16


def measure(task: str, side: int, batch: int) -> dict[str, float]:
    """{"seconds": median seconds of a call}.

    Args:
        task: "forward" or "training".
        side: pixels of the low-resolution pictures.
        batch: pictures at a time.
    """
    prepare = {"forward": forward, "training": training}[task]
    return {"seconds": seconds_of_faster_layout(lambda layout: prepare(side, batch, layout))}


class Sum(nn.Module):
    """Layers beside the identity."""

    def __init__(self, *layers):
        super().__init__()
        self.branch = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.branch(x)


def srresnet() -> nn.Sequential:
    """Pictures (B, 3, h, w) in 0..1 to (B, 3, 4 h, 4 w)."""
    blocks = [Sum(*normalized(), nn.PReLU(WIDTH), *normalized()) for _ in range(BLOCKS)]
    doublings = [
        layer
        for _ in range(2)
        for layer in (convolution(WIDTH, 4 * WIDTH, 3), nn.PixelShuffle(2), nn.PReLU(WIDTH))
    ]
    return nn.Sequential(
        convolution(3, WIDTH, 9),
        nn.PReLU(WIDTH),
        Sum(*blocks, *normalized()),
        *doublings,
        convolution(WIDTH, 3, 9),
    )


def normalized() -> tuple[nn.Module, nn.Module]:
    return convolution(WIDTH, WIDTH, 3), nn.BatchNorm2d(WIDTH)


def convolution(channels: int, filters: int, kernel_size: int) -> nn.Conv2d:
    return nn.Conv2d(channels, filters, kernel_size, padding="same")


def forward(side: int, batch: int, layout: torch.memory_format):
    """The call that enlarges pictures."""
    model = srresnet().eval().to(memory_format=layout)
    low = torch.rand(batch, 3, side, side).to(memory_format=layout)
    return torch.inference_mode()(lambda: model(low))


def training(side: int, batch: int, layout: torch.memory_format):
    """The call of one step of Adam on the squared error."""
    model = srresnet().train().to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=True)
    low = torch.rand(batch, 3, side, side).to(memory_format=layout)
    high = torch.rand(batch, 3, 4 * side, 4 * side).to(memory_format=layout)
    return lambda: improve(optimizer, nn.functional.mse_loss(model(low), high))


if __name__ == "__main__":
    run(measure)
