"""The CycleGAN part of `kerasuite demo`."""

from pathlib import Path

from apps.generative.cyclegan.gallery import side_by_side


def demonstrate(demo) -> Path:
    """Photographs to night scenes and back: train, evaluate, export, predict both ways."""
    data, run = demo.folder / "domains", demo.folder / "cyclegan"
    page = demo.page
    page.text(
        "A small CycleGAN learns to turn day into night, and night into day. "
        "No picture of one side has a partner on the other."
    )
    demo.command("samples", "domains", data)
    demo.command("cyclegan", "check", data)
    demo.command(
        "cyclegan", "train", data, "--preset", "tiny", "--residual", "--blocks", 2, "--cycle", 5,
        "--identity", 0.1, "--epochs", 16, "--validate-every", 8, "--classifier-steps", 300,
        "--output", run,
    )  # fmt: skip
    metrics = demo.json(run / "metrics.json")
    page.table(
        [[name, f"{value:.4f}"] for name, value in metrics.items() if isinstance(value, float)],
        ["metric", "held-out pictures"],
    )
    last_epoch = max((run / "samples").glob("epoch-*.png"))
    page.pictures(
        [
            (run / "plots" / "curves.png", "The eight losses, and the held-out pictures"),
            (last_epoch, "After the last epoch"),
        ],
        large=True,
    )
    root = demo.folder / "saved_models"
    demo.command("cyclegan", "export", run, "--output", root)
    for direction, given in (("a2b", data / "testA"), ("b2a", data / "testB")):
        output = demo.folder / "translated" / direction
        demo.command(
            "cyclegan", "predict", root / "cyclegan" / "cyclegan", given,
            "--direction", direction, "--output", output,
        )  # fmt: skip
        page.text(f"{direction}: given and translated")
        page.pictures(_pairs(given, output)[:6])
    return last_epoch


def _pairs(given: Path, made: Path) -> list[tuple[bytes, str]]:
    """Each picture beside its translation, which has its name."""
    return [
        (side_by_side([given / path.name, path]), path.stem) for path in sorted(made.glob("*.png"))
    ]
