"""The published weights that can be loaded, for each task, with the line to type."""

from typing import NamedTuple

from shared.common.errors import KerasuiteError

VERBS = {
    "bert": "kerasuite bert import hf:{name} --output runs/{short}",
    "lm": "kerasuite lm import hf:{name} --output runs/{short}",
    "translate": "kerasuite translate import hf:{name} --output runs/{short}",
    "classify": "kerasuite classify train DATA --backbone {network} --weights hf:{name}",
    "embed": "kerasuite embed import {name} --output runs/{short}",
}
NOTE = (
    "Where the main revision has no model.safetensors, a pull request of the Hub's converter may: "
    "hf:NAME@refs/pr/N; or convert it with transformers' save_pretrained and give the folder."
)
TORCHVISION = "top-1 on ImageNet, torchvision's documentation"


class Published(NamedTuple):
    """Weights that others published.

    Attributes:
        task: of ours.
        name: on the Hub, or of the file that is to be fetched.
        megabytes: of the file of weights, rounded.
        licence: as its publisher says.
        figure: published, with what it measures and who says so.
        network: `--backbone` for it.
        has_safetensors: whether the main revision is known to have them.
    """

    task: str
    name: str
    megabytes: int
    licence: str
    figure: str
    network: str = ""
    has_safetensors: bool = True

    @property
    def line(self) -> str:
        """The command that loads it."""
        short = self.name.rpartition("/")[2].removesuffix(".zip").removesuffix(".gz")
        return VERBS[self.task].format(name=self.name, short=short, network=self.network)


def _torchvision(network: str, megabytes: int, accuracy: str, backbone: str = "") -> Published:
    name = f"timm/{network}.tv_in1k"
    figure = f"{accuracy} {TORCHVISION}"
    return Published("classify", name, megabytes, "BSD-3-Clause", figure, backbone or network)


PUBLISHED = (
    Published("bert", "google-bert/bert-base-uncased", 440, "Apache-2.0",
              "GLUE 79.6, Devlin et al., 2019"),
    Published("bert", "distilbert/distilbert-base-uncased", 268, "Apache-2.0",
              "GLUE 77.0 (dev), Sanh et al., 2019"),
    Published("bert", "FacebookAI/roberta-base", 499, "MIT",
              "MNLI 87.6, its model card"),
    Published("bert", "albert/albert-base-v2", 47, "Apache-2.0",
              "MNLI 84.6 (dev), its repository"),
    Published("bert", "google/electra-small-discriminator", 54, "Apache-2.0",
              "GLUE 79.9 (dev), Clark et al., 2020", has_safetensors=False),
    Published("bert", "hfl/chinese-bert-wwm-ext", 412, "Apache-2.0",
              "exact match 67.1 on CMRC 2018 (dev), its repository", has_safetensors=False),
    Published("bert", "sentence-transformers/all-MiniLM-L6-v2", 91, "Apache-2.0",
              "68.06 on 14 data sets of sentences, sbert.net"),
    Published("lm", "openai-community/gpt2", 548, "MIT",
              "perplexity 37.50 on WikiText-103, Radford et al., 2019"),
    Published("translate", "Helsinki-NLP/opus-mt-en-zh", 312, "Apache-2.0",
              "BLEU 31.4 on Tatoeba, its model card", has_safetensors=False),
    Published("translate", "Helsinki-NLP/opus-mt-zh-en", 312, "CC-BY-4.0",
              "BLEU 36.1 on Tatoeba, its model card", has_safetensors=False),
    Published("translate", "Helsinki-NLP/opus-mt-en-de", 298, "CC-BY-4.0",
              "BLEU 47.3 on Tatoeba, its model card", has_safetensors=False),
    _torchvision("resnet18", 47, "69.76"),
    _torchvision("resnet34", 87, "73.31"),
    _torchvision("resnet50", 102, "76.13", "resnet50_torch"),
    _torchvision("resnet101", 179, "77.37", "resnet101_torch"),
    _torchvision("resnet152", 242, "78.31", "resnet152_torch"),
    _torchvision("vgg11_bn", 531, "70.37"),
    _torchvision("vgg13_bn", 532, "71.59"),
    _torchvision("vgg16_bn", 554, "73.36"),
    _torchvision("vgg16", 553, "71.59", "vgg16_torch"),
    _torchvision("vgg19_bn", 575, "74.22"),
    Published("classify", "timm/resnet18.a1_in1k", 47, "Apache-2.0",
              "top-1 on ImageNet at 224 pixels 71.5, Wightman et al., 2021", "resnet18"),
    Published("classify", "timm/resnet34.a1_in1k", 87, "Apache-2.0",
              "top-1 on ImageNet at 224 pixels 76.4, Wightman et al., 2021", "resnet34"),
    Published("classify", "timm/resnet50.a1_in1k", 102, "Apache-2.0",
              "top-1 on ImageNet at 224 pixels 80.4, Wightman et al., 2021", "resnet50_torch"),
    Published("classify", "google/vit-base-patch16-224", 346, "Apache-2.0",
              "its card names none", "vit_base16"),
    Published("embed", "glove.6B.300d.txt", 1_038, "PDDL-1.0",
              "word analogies 71.7, Pennington et al., 2014"),
)  # fmt: skip


def of_task(task: str) -> list[Published]:
    """The weights for a task; "" for all.

    Raises:
        KerasuiteError: if none are known for it.
    """
    found = [weights for weights in PUBLISHED if task in ("", weights.task)]
    if not found:
        raise KerasuiteError(f"{task}: no published weights are known; one of {', '.join(VERBS)}")
    return found


def as_text(task: str = "") -> str:
    """Two lines for each: what it is, and what to type."""
    lines = []
    for weights in of_task(task):
        facts = f"{weights.megabytes:,} MB, {weights.licence}; {weights.figure}"
        lines.append(f"{weights.task:10} {weights.name}: {facts}")
        lines.append(f"{'':10} {weights.line}")
    if not all(weights.has_safetensors for weights in of_task(task)):
        lines.append(NOTE)
    return "\n".join(lines)


def as_markdown() -> str:
    """The table of the documentation."""
    rows = ["| task | weights | MB | licence | figure | load with |", "|---|---|---|---|---|---|"]
    for weights in PUBLISHED:
        mark = "" if weights.has_safetensors else " (1)"
        rows.append(
            f"| {weights.task} | {weights.name}{mark} | {weights.megabytes:,} | {weights.licence} "
            f"| {weights.figure} | `{weights.line}` |"
        )
    return "\n".join([*rows, "", f"(1) {NOTE}"])
