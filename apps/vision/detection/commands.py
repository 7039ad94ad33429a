"""Commands of `kerasuite detect`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from apps.vision.detection.config import DEFAULT_IMAGE_SIZE, DetectConfig
from shared.common.console import console
from shared.engine import options, verbs
from shared.engine.load_app import load_app
from shared.engine.task_commands import TaskCommands

APP = "apps.vision.detection.app:DetectApp"

Annotations = Annotated[
    Literal["", "voc", "coco", "yolo"],
    typer.Option(help="Format of the annotations. \\[default: recognised]", show_default=False),
]
Confidence = Annotated[
    float | None,
    typer.Option(help="Minimum score of a detection. \\[default: the export's]", min=0, max=1),
]
Iou = Annotated[
    float | None,
    typer.Option(
        help="Overlap from which the weaker box is dropped. \\[default: the export's]", min=0, max=1
    ),
]
MaxDetections = Annotated[
    int | None, typer.Option(help="Detections of one image. \\[default: the export's]", min=1)
]
Classes = Annotated[str, typer.Option(help="Only these classes: cat,dog.", metavar="NAMES")]

commands = TaskCommands("Object detection: images with boxes as Pascal VOC, COCO or YOLO.")
commands.add_train(
    APP,
    DetectConfig,
    "Train a detector and leave a run folder with metrics, plots and a model card.",
)
commands.add_evaluate(
    APP, "Score a run: COCO's average precision, precision-recall, confusion, worst images."
)
commands.add_export(
    APP,
    "Export a run as a SavedModel: image bytes in, boxes of the original image out.",
    formats=True,
)


@commands.command()
@options.predict_options(batch_size=16)
def predict(
    settings: options.PredictOptions,
    confidence: Confidence = None,
    iou: Iou = None,
    max_detections: MaxDetections = None,
    classes: Classes = "",
    save_images: Annotated[
        bool, typer.Option("--save-images", help="Write pictures with the boxes drawn in.")
    ] = False,
    save_crops: Annotated[
        bool, typer.Option("--save-crops", help="Write each object as a picture of its own.")
    ] = False,
    save_txt: Annotated[
        bool, typer.Option("--save-txt", help="Write a YOLO text file for each image.")
    ] = False,
    txt_scores: Annotated[
        bool, typer.Option("--txt-scores", help="With the score as the sixth number of a line.")
    ] = False,
    tile: Annotated[
        int, typer.Option(help="Cut larger images into tiles of this many pixels; 0 is off.", min=0)
    ] = 0,
    overlap: Annotated[
        float,
        typer.Option(
            help="Overlap of neighbouring tiles, as a share of their side.", min=0, max=0.9
        ),
    ] = 0.2,
    max_pixels: options.MaxPixels = 100_000_000,
):
    """Detect objects: a line for each image in predictions.jsonl, bad files in errors.jsonl."""
    verbs.predict(
        APP,
        settings,
        max_pixels=max_pixels,
        confidence=confidence,
        iou=iou,
        max_detections=max_detections,
        classes=classes,
        save_images=save_images,
        save_crops=save_crops,
        save_txt=save_txt,
        txt_scores=txt_scores,
        tile=tile,
        overlap=overlap,
    )


@commands.command()
def check(
    data: options.Data,
    annotations: Annotations = "",
    output: Annotated[
        Path | None, typer.Option(help="Folder for sample pictures with their boxes.")
    ] = None,
    image_size: Annotated[
        int, typer.Option(help="Side that the reach of the anchors is counted at.", min=32)
    ] = DEFAULT_IMAGE_SIZE,
    max_pixels: options.MaxPixels = 100_000_000,
):
    """Report what is in the data and what is wrong with it; draw boxes on samples."""
    if output:
        load_app(APP)
        from apps.vision.detection.annotations.reader import read_annotations
        from apps.vision.detection.check import draw_samples

        written = draw_samples(read_annotations(data, annotations, max_pixels), output)
        console.print(f"{len(written)} pictures are in {output}.", markup=False)
    given = {
        "data_options.annotations": annotations,
        "data_options.max_pixels": max_pixels,
        "model.image_size": image_size,
    }
    verbs.check(APP, DetectConfig, data, given)


@commands.command()
def convert(
    data: options.Data,
    output: Annotated[Path, typer.Option(help="New folder.")],
    format: Annotated[Literal["voc", "coco", "yolo"], typer.Option(help="Format to write.")],
    annotations: Annotations = "",
    hard_link: Annotated[
        bool, typer.Option("--hard-link", help="Share the images' storage instead of copying.")
    ] = False,
    max_pixels: options.MaxPixels = 100_000_000,
):
    """Write images and annotations in another format."""
    load_app(APP)
    from apps.vision.detection.annotations.convert import convert as run_conversion
    from apps.vision.detection.annotations.reader import read_annotations

    found = read_annotations(data, annotations, max_pixels)
    for line in run_conversion(found, output, format, hard_link):
        console.print(line, markup=False)
    verbs.report_problems(found.problems)
