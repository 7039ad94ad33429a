"""Draws boxes with labels on a picture."""

import colorsys
import zlib
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from shared.report.fonts import font_file, warn_of_missing_characters

GOLDEN_RATIO = 0.618034


def draw_boxes(image, boxes, labels, scores=None, class_names=None):
    """Draws boxes, each in the colour of its class, with the label on a plate of that colour.

    Labels are written in an installed font that has their characters; a warning names those that
    none has.

    Args:
        image: uint8 array (H, W, 3) of any size; it stays as it is.
        boxes: float array (n, 4), normalised xyxy.
        labels: sequence of n str. Names of the classes.
        scores: optional sequence of n floats in 0..1, written behind the labels.
        class_names: optional list of str. All names: no two of the first colours are alike. Without
            it the colour follows from the name alone and two may be alike.

    Returns:
        uint8 array (H, W, 3).
    """
    picture = Image.fromarray(image)
    brush = ImageDraw.Draw(picture)
    width, height = picture.size
    line = max(1, round(max(width, height) / 400))
    text_size = max(10, round(max(width, height) / 45))
    font_of = cache(lambda file: ImageFont.truetype(file, text_size))
    warn_of_missing_characters(labels)
    pixels = np.nan_to_num(np.clip(boxes, 0.0, 1.0)).reshape(-1, 4)
    pixels = pixels * [width, height, width, height]
    # Small ones over large ones, and the text over all.
    order = np.argsort(-(pixels[:, 2] - pixels[:, 0]) * (pixels[:, 3] - pixels[:, 1]))
    for index in order:
        colour = class_colour(labels[index], class_names)
        brush.rectangle(_edges(pixels[index], width, height), outline=colour, width=line)
    for index in order:
        text = str(labels[index])
        text = text if scores is None else f"{text} {float(scores[index]):.2f}"
        colour = class_colour(labels[index], class_names)
        font = font_of(font_file(str(labels[index])))
        _plate(brush, pixels[index], text, font, colour, picture.size)
    return np.asarray(picture)


def class_colour(name, class_names=None):
    """The colour of a class as (red, green, blue), 0 to 255."""
    is_known = class_names is not None and name in class_names
    index = class_names.index(name) if is_known else zlib.crc32(str(name).encode()) % 997
    # Steps of the golden ratio keep any number of hues apart; rows of lightness repeat slower.
    hue = (index * GOLDEN_RATIO) % 1.0
    lightness = (0.5, 0.38, 0.64)[(index // 7) % 3]
    return tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, 0.95))


def _edges(box, width, height):
    """Inclusive pixels of a box, at least one and inside the picture."""
    left, top = min(int(box[0]), width - 1), min(int(box[1]), height - 1)
    right, bottom = max(left, int(np.ceil(box[2])) - 1), max(top, int(np.ceil(box[3])) - 1)
    return left, top, right, bottom


def _plate(brush, box, text, font, colour, size):
    """A label above the box, or inside where there is no room, within the picture."""
    _, _, width, height = font.getbbox(text, anchor="lt")
    pad = max(1, height // 5)
    width, height = width + 2 * pad, height + 2 * pad
    left = max(0, min(int(box[0]), size[0] - width))
    top = int(box[1]) - height
    top = top if top >= 0 else max(0, min(int(box[1]), size[1] - height))
    brush.rectangle((left, top, left + width - 1, top + height - 1), fill=colour)
    luminance = np.dot(colour, (0.299, 0.587, 0.114))
    ink = "black" if luminance > 130 else "white"
    brush.text((left + pad, top + pad), text, fill=ink, font=font, anchor="lt")
