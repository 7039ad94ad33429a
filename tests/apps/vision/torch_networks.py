"""ResNet and VGG in PyTorch, with torchvision's names of tensors, and timm's of the classifier."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `oracle`)")
nn = torch.nn

STAGES = {"resnet18": (1, (2, 2, 2, 2)), "resnet50": (4, (3, 4, 6, 3))}
VGG = {"vgg11": (1, 1, 2, 2, 2)}


class Block(nn.Module):
    def __init__(self, inputs, filters, stride, expansion):
        super().__init__()
        kernels = (3, 3) if expansion == 1 else (1, 3, 1)
        widths = [inputs, *[filters] * (len(kernels) - 1), filters * expansion]
        self.count = len(kernels)
        at = 0 if expansion == 1 else 1
        for index, size in enumerate(kernels):
            convolution = nn.Conv2d(
                widths[index], widths[index + 1], size, stride if index == at else 1, size // 2,
                bias=False,
            )  # fmt: skip
            setattr(self, f"conv{index + 1}", convolution)
            setattr(self, f"bn{index + 1}", nn.BatchNorm2d(widths[index + 1]))
        self.downsample = None
        if stride != 1 or inputs != widths[-1]:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, widths[-1], 1, stride, bias=False), nn.BatchNorm2d(widths[-1])
            )

    def forward(self, x):
        out = x
        for index in range(1, self.count + 1):
            out = getattr(self, f"bn{index}")(getattr(self, f"conv{index}")(out))
            out = out.relu() if index < self.count else out
        return (out + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
    def __init__(self, name):
        super().__init__()
        expansion, stages = STAGES[name]
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for stage, blocks in enumerate(stages):
            layers = []
            for index in range(blocks):
                stride = 2 if stage and not index else 1
                layers.append(Block(inputs, 64 * 2**stage, stride, expansion))
                inputs = 64 * 2**stage * expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, 1000)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


class Vgg(nn.Module):
    """timm's: the first dense layer is a convolution over the feature map."""

    def __init__(self, name, batch_norm):
        super().__init__()
        layers, inputs = [], 3
        for block, convolutions in enumerate(VGG[name]):
            for _ in range(convolutions):
                width = 64 * min(2**block, 8)
                layers.append(nn.Conv2d(inputs, width, 3, padding=1))
                layers += [nn.BatchNorm2d(width)] if batch_norm else []
                layers.append(nn.ReLU())
                inputs = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        # 32 x 32 pixels become one.
        self.pre_logits = nn.ModuleDict(
            {"fc1": nn.Conv2d(512, 4096, 1), "fc2": nn.Conv2d(4096, 4096, 1)}
        )
        self.head = nn.ModuleDict({"fc": nn.Linear(4096, 1000)})

    def forward(self, x):
        x = self.pre_logits["fc1"](self.features(x)).relu()
        return self.head["fc"](self.pre_logits["fc2"](x).relu()[..., 0, 0])


def network(name):
    """A network in evaluation, with random statistics and parameters."""
    torch.manual_seed(0)
    if name.startswith("vgg"):
        found = Vgg(name.removesuffix("_bn"), name.endswith("_bn"))
    else:
        found = ResNet(name)
    for module in found.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.0)
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, 0, 0.2)
    return found.eval()
