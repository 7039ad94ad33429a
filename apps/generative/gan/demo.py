"""The GAN part of `kerasuite demo`."""

from pathlib import Path


def demonstrate(demo) -> Path:
    """Digits from noise, each of a wanted class: train, evaluate, export, sample."""
    data, run = demo.folder / "digits", demo.folder / "gan"
    page = demo.page
    page.text(
        "A small DCGAN with classes learns to draw digits of 16 pixels; a seed and a class make a "
        "picture."
    )
    demo.command("samples", "digits", data)
    demo.command("gan", "check", data / "train", "--image-size", 16)
    demo.command(
        "gan", "train", data / "train", "--preset", "tiny", "--labels", "--validate-every", 10,
        "--output", run,
    )  # fmt: skip
    metrics = demo.json(run / "metrics.json")
    page.table(
        [[name, f"{value:.4f}"] for name, value in metrics.items() if isinstance(value, float)],
        ["metric", "samples"],
    )
    for line in metrics["remarks"]:
        page.text(line)
    samples = run / "samples"
    page.pictures(
        [
            (samples / "samples.png", "Drawn from the seeds 1 to 64, the digits in turn"),
            (samples / "real.png", "Training pictures"),
            (samples / "walks.png", "From one seed to the next"),
            (samples / "nearest.png", "Above: drawn; below: the nearest training picture"),
        ],
        large=True,
    )
    root, output = demo.folder / "saved_models", demo.folder / "sevens"
    demo.command("gan", "export", run, "--output", root)
    demo.command(
        "gan", "sample", root / "gan" / "gan", "--count", 10, "--label", "7", "--output", output
    )
    page.pictures([(path, path.stem) for path in sorted(output.glob("pictures/*/*.png"))])
    return samples / "samples.png"
