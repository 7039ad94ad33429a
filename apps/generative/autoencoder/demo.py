"""The autoencoder part of `kerasuite demo`."""

from pathlib import Path


def demonstrate(demo) -> Path:
    """Digits as eight numbers: train, measure an anomaly, export, code, search, sample."""
    data, run = demo.folder / "digits", demo.folder / "autoencoder"
    page = demo.page
    page.text(
        "A variational autoencoder describes each digit by eight numbers and draws digits from "
        "random numbers. It never sees a seven while it learns: sevens are to be found by their "
        "error."
    )
    demo.command("samples", "digits", data)
    sevens = demo.folder / "sevens"
    sevens.mkdir()
    for part in ("train", "val"):
        (data / part / "7").rename(sevens / part)
    demo.command("autoencoder", "check", data, "--image-size", 16, "--code", 8)
    demo.command(
        "autoencoder", "train", data, "--preset", "tiny", "--anomalies", sevens,
        "--validate-every", 10, "--output", run,
    )  # fmt: skip
    metrics = demo.json(run / "metrics.json")
    names = ("mse", "psnr", "elbo", "importance_weighted_bound", "active_units", "anomaly_auroc")
    page.table([[name, f"{metrics[name]:.4g}"] for name in names], ["metric", "held-out pictures"])
    cover = max((run / "samples").glob("epoch-*.png"))
    page.pictures(
        [
            (cover, "Digits, their reconstructions, and samples"),
            (run / "plots" / "walk.png", "From one digit to another"),
            (run / "plots" / "codes.png", "The codes, by digit"),
            (run / "plots" / "anomalies.png", "Errors of the nine digits, and of sevens"),
        ],
        large=True,
    )
    demo.command("autoencoder", "export", run, "--output", demo.folder / "saved_models")
    model = demo.folder / "saved_models" / "autoencoder" / "autoencoder"
    output = demo.folder / "codes"
    demo.command("autoencoder", "predict", model, data / "unlabelled", "--output", output)
    page.text("Pictures that it has not seen, what their codes make of them, and the errors.")
    rows = demo.lines(output / "predictions.jsonl")[:8]
    for row in rows:
        given = data / "unlabelled" / row["file"]
        made = output / row["reconstruction"]
        page.pictures([(given, row["file"]), (made, f"error {row['error']:.3g}")])
    found = demo.folder / "nearest.png"
    query = data / "unlabelled" / rows[0]["file"]
    demo.command("autoencoder", "search", model, query, data / "train", "--top", 5,
                 "--output", found)  # fmt: skip
    page.pictures([(found, "The pictures with the nearest codes")], large=True)
    drawn = demo.folder / "drawn"
    demo.command("autoencoder", "sample", model, "--count", 16, "--output", drawn)
    rows = demo.lines(drawn / "predictions.jsonl")
    page.pictures([(drawn / row["image"], f"seed {row['seed']}") for row in rows])
    return cover
