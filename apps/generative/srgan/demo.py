"""The super-resolution part of `kerasuite demo`."""

from pathlib import Path


def demonstrate(demo) -> Path:
    """Photographs: check, train, evaluate beside bicubic, export, predict."""
    data, run = demo.folder / "photos", demo.folder / "srgan"
    page = demo.page
    page.text(
        "A small network learns from a dozen photographs to enlarge others twice, with more "
        "detail than bicubic interpolation gives."
    )
    demo.command("samples", "photos", data)
    demo.command("srgan", "check", data / "train", "--scale", 2)
    demo.command(
        "srgan", "train", data / "train", "--validation", data / "validation",
        "--preset", "tiny", "--epochs", 3, "--output", run,
    )  # fmt: skip
    metrics = demo.json(run / "metrics.json")
    shown = ("psnr", "ssim", "psnr_rgb", "ssim_rgb", "sharpness")
    page.table(
        [[name, f"{metrics[f'bicubic_{name}']:.4f}", f"{metrics[name]:.4f}"] for name in shown],
        ["metric", "bicubic", "network"],
    )
    page.pictures([(run / "plots" / "curves.png", "Loss and PSNR while training")], large=True)
    demo.command("srgan", "export", run, "--output", demo.folder / "saved_models")
    model = next((demo.folder / "saved_models" / "srgan").iterdir())
    enlarged = demo.folder / "enlarged"
    demo.command("srgan", "predict", model, data / "validation", "--output", enlarged)
    page.text("Photographs that it did not learn from, enlarged twice by the SavedModel.")
    pictures = sorted(enlarged.glob("*-01.png"))
    page.pictures([(path, path.stem) for path in pictures], large=True)
    return pictures[0]
