"""The CycleGAN part of `kerasuite demo`."""

from pathlib import Path

from apps.generative.cyclegan.gallery import side_by_side


def demonstrate(demo) -> None:
    """Photographs to sepia prints and back: train, evaluate, export, predict both ways."""
    data, run = demo.folder / "domains", demo.folder / "cyclegan"
    page = demo.page
    page.heading("Translation of images without pairs")
    page.text(
        "A small CycleGAN learns what sepia prints look like, and what colours they may have had. "
        "No picture of one side has a partner on the other."
    )
    demo.command("samples", "domains", data)
    demo.command("cyclegan", "check", data)
    demo.command("cyclegan", "train", data, "--preset", "tiny", "--output", run)
    metrics = demo.json(run / "metrics.json")
    page.table(
        [[name, f"{value:.4f}"] for name, value in metrics.items() if isinstance(value, float)],
        ["metric", "held-out pictures"],
    )
    page.pictures(
        [
            (run / "plots" / "curves.png", "The eight losses, and the held-out pictures"),
            (max((run / "samples").glob("epoch-*.png")), "After the last epoch"),
        ],
        large=True,
    )
    root = demo.folder / "saved_models"
    demo.command("cyclegan", "export", run, "--output", root)
    for direction, place in (("a2b", data / "testA"), ("b2a", data / "testB")):
        output = demo.folder / "translated" / direction
        demo.command(
            "cyclegan", "predict", root / "cyclegan" / "cyclegan", place,
            "--direction", direction, "--output", output,
        )  # fmt: skip
        page.text(f"{direction}: given and translated")
        page.pictures(_pairs(place, output)[:6])


def _pairs(given: Path, made: Path) -> list[tuple[bytes, str]]:
    """Each picture beside its translation, which has its name."""
    return [
        (side_by_side([given / path.name, path]), path.stem) for path in sorted(made.glob("*.png"))
    ]
