"""CycleGAN in PyTorch: seconds of a generator, of its training step, or of a whole step."""

import torch
from timing import improve, run, seconds_of_faster_layout
from torch import nn
from torch.nn.functional import l1_loss, mse_loss

CYCLE, IDENTITY = 10.0, 5.0


def measure(
    task: str,
    side: int,
    batch: int,
    width: int = 64,
    blocks: int = 9,
    upsampling: str = "transposed",
    residual: bool = False,
    discriminator_width: int = 64,
) -> dict[str, float]:
    """{"seconds": median seconds of a call}.

    Args:
        task: "forward", "generator" (a step of one generator alone, back to its input) or "whole"
            (a step of two generators and two discriminators).
        side: pixels of the pictures.
        batch: pictures of each domain at a time.
        width, blocks, upsampling, residual, discriminator_width: the networks.
    """
    prepare = {"forward": forward, "generator": generator_step, "whole": whole_step}[task]

    def make(layout: torch.memory_format):
        generators = [build_generator(width, blocks, upsampling, residual) for _ in "ab"]
        judges = [build_discriminator(discriminator_width) for _ in "ab"]
        networks = [nn.ModuleList(pair).to(memory_format=layout) for pair in (generators, judges)]
        a, b = (torch.rand(batch, 3, side, side) * 2 - 1 for _ in "ab")
        return prepare(*networks, a.to(memory_format=layout), b.to(memory_format=layout))

    return {"seconds": seconds_of_faster_layout(make)}


# === Networks ===


class Residual(nn.Module):
    """Layers beside the identity."""

    def __init__(self, *layers):
        super().__init__()
        self.branch = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.branch(x)


class AddedToImage(nn.Module):
    """The output of the layers, added to the image before tanh."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return torch.tanh(torch.arctanh(0.99 * x) + self.layers(x))


def build_generator(width: int, blocks: int, upsampling: str, residual: bool) -> nn.Module:
    """Pictures (B, 3, H, W) in -1..1 to the same."""
    middle = 4 * width
    enlarge = {"transposed": transposed, "resize": resized}[upsampling]
    layers = [reflected(3, width, 7), *normalized_relu(width)]
    for channels in (width, 2 * width):
        halve = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=False)
        layers += [halve, *normalized_relu(2 * channels)]
    for _ in range(blocks):
        first, second = (reflected(middle, middle, 3) for _ in range(2))
        layers += [Residual(first, *normalized_relu(middle), second, nn.InstanceNorm2d(middle))]
    for channels in (middle, middle // 2):
        layers += [enlarge(channels), *normalized_relu(channels // 2)]
    layers += [reflected(width, 3, 7, bias=True)]
    return AddedToImage(layers) if residual else nn.Sequential(*layers, nn.Tanh())


def reflected(channels: int, filters: int, size: int, bias: bool = False) -> nn.Sequential:
    """A convolution of the same size, over the mirrored border; the normalisation has no use for
    a bias."""
    return nn.Sequential(
        nn.ReflectionPad2d(size // 2), nn.Conv2d(channels, filters, size, bias=bias)
    )


def transposed(channels: int) -> nn.Module:
    """Twice the size by a fractionally strided convolution, half the channels."""
    return nn.ConvTranspose2d(
        channels, channels // 2, 3, stride=2, padding=1, output_padding=1, bias=False
    )


def resized(channels: int) -> nn.Module:
    """Twice the size by repeated pixels and a convolution, half the channels."""
    return nn.Sequential(nn.Upsample(scale_factor=2), reflected(channels, channels // 2, 3))


def normalized_relu(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)


def build_discriminator(width: int) -> nn.Sequential:
    """Pictures to logits (B, 1, h, w) of patches of 70 pixels."""
    layers = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
    for channels, stride in ((width, 2), (2 * width, 2), (4 * width, 1)):
        layers += [
            nn.Conv2d(channels, 2 * channels, 4, stride=stride, padding=1, bias=False),
            nn.InstanceNorm2d(2 * channels),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, padding=1))


# === What is measured ===


def forward(generators, judges, a, b):
    """The call of one generator."""
    return torch.inference_mode()(lambda: generators[0](a))


def generator_step(generators, judges, a, b):
    """The call of a step of one generator, which learns to leave its pictures alone."""
    optimizer = adam(generators[0])
    return lambda: improve(optimizer, l1_loss(generators[0](a), a))


def whole_step(generators, judges, a, b):
    """The call of a step of both sides, with least squares."""
    a2b, b2a = generators
    judge_a, judge_b = judges
    optimizers = adam(generators), adam(judges)

    def step():
        judges.requires_grad_(False)
        fake_a, fake_b = b2a(b), a2b(a)
        fooling = squares(judge_a(fake_a), 1.0) + squares(judge_b(fake_b), 1.0)
        cycle = l1_loss(b2a(fake_b), a) + l1_loss(a2b(fake_a), b)
        identity = l1_loss(b2a(a), a) + l1_loss(a2b(b), b)
        improve(optimizers[0], fooling + CYCLE * cycle + IDENTITY * identity)
        judges.requires_grad_(True)
        telling = (
            squares(judge_a(a), 1.0)
            + squares(judge_a(fake_a.detach()), 0.0)
            + squares(judge_b(b), 1.0)
            + squares(judge_b(fake_b.detach()), 0.0)
        )
        improve(optimizers[1], 0.5 * telling)

    return step


def adam(networks: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(networks.parameters(), 2e-4, betas=(0.5, 0.999), fused=True)


def squares(logits, target: float):
    """Mean squared distance from a target."""
    return mse_loss(logits, torch.full_like(logits, target))


if __name__ == "__main__":
    run(measure)
