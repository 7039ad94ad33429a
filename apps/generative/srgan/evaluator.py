"""Metrics of super-resolution beside those of bicubic enlargement, and pictures side by side."""

from pathlib import Path
from typing import Any

import numpy as np

from shared.engine.app import Evaluator
from shared.image import bicubic
from shared.image.png import png_bytes
from shared.metrics.image_quality import gradient_energy, luma, psnr, ssim, without_border
from shared.report.page import Page

DETAIL_SIDE = 96  # of the high-resolution part that the page shows
DETAIL_ZOOM = 3
SHOWN_IMAGES = 24
BEST_PSNR = 100.0  # dB; stands for "equal", which would be infinite

Row = dict[str, float]


class SuperResolutionEvaluator(Evaluator):
    """PSNR and SSIM on MATLAB's Y and on RGB, and sharpness, each beside the bicubic's.

    As many pixels as the scale has are cut off at every border, as papers do. Sharpness is the
    gradient energy of the luma as a part of the ground truth's.

    Args:
        names: paths of the images, in the order of the data set.
        scale: int. The factor.
    """

    uses_inputs = True

    def __init__(self, names: list[str], scale: int):
        self.names, self.scale = names, scale
        self.rows: list[Row] = []
        self._details: list[bytes] = []

    def update(self, batch: Any, outputs: np.ndarray) -> None:
        lows, highs = (np.round(images).astype(np.uint8) for images in batch[:2])
        for low, high, made in zip(lows, highs, outputs, strict=True):
            enlarged = bicubic.enlarge(low, self.scale)
            compared = {"bicubic_": enlarged, "": made}
            row: Row = {}
            for prefix, image in compared.items():
                scores = score(image, high, self.scale)
                row |= {f"{prefix}{name}": value for name, value in scores.items()}
            if len(self.rows) < SHOWN_IMAGES:
                self._details.append(side_by_side([enlarged, made, high]))
            self.rows.append(row)

    def result(self) -> dict[str, float]:
        """Means over the images."""
        names = sorted(self.rows[0], key=lambda name: name.startswith("bicubic_"))
        return {name: float(np.mean([row[name] for row in self.rows])) for name in names}

    def report(self, folder: Path) -> dict[str, Any]:
        """Writes the page of comparisons; returns the scores of each image."""
        per_image = dict(zip(self.names, self.rows, strict=True))
        page = Page("Super-resolution beside bicubic enlargement")
        page.text(
            f"Enlarged {self.scale} times. PSNR and SSIM on the luma (MATLAB's Y) without "
            f"{self.scale} pixels at each border; sharpness is the gradient energy relative to "
            f"the ground truth's."
        )
        means = {"mean": self.result()}
        shown = ("bicubic_psnr", "psnr", "bicubic_ssim", "ssim", "bicubic_sharpness", "sharpness")
        page.table(
            [
                [Path(name).name, *(row[key] for key in shown)]
                for name, row in (means | per_image).items()
            ],
            ["image", *(key.replace("_", " ") for key in shown)],
        )
        page.heading("Bicubic, super-resolution, ground truth")
        page.pictures(
            [
                (picture, _caption(name, row))
                for picture, (name, row) in zip(self._details, per_image.items(), strict=False)
            ],
            large=True,
        )
        page.write(folder / "samples" / "comparison.html")
        return {"per_image": per_image}


def _caption(name: str, row: Row) -> str:
    return f"{Path(name).name}: bicubic {row['bicubic_psnr']:.2f} dB, then {row['psnr']:.2f} dB"


def score(image: np.ndarray, truth: np.ndarray, border: int) -> Row:
    """Scores of one image against the truth, uint8 arrays (H, W, 3).

    Args:
        image: the enlarged image.
        truth: the ground truth.
        border: int. Pixels cut off at each side.
    """
    image, truth = without_border(image, border), without_border(truth, border)
    image_luma, truth_luma = luma(image), luma(truth)
    sharpness = gradient_energy(image_luma) / max(gradient_energy(truth_luma), 1e-9)
    return {
        "psnr": min(psnr(image_luma, truth_luma), BEST_PSNR),
        "ssim": ssim(image_luma, truth_luma),
        "psnr_rgb": min(psnr(image, truth), BEST_PSNR),
        "ssim_rgb": ssim(image, truth),
        "sharpness": sharpness,
    }


def side_by_side(images: list[np.ndarray]) -> bytes:
    """The most detailed part of several versions of an image in a row, magnified, as PNG.

    Args:
        images: uint8 arrays (H, W, 3); the part is chosen in the last one.
    """
    top, left = most_detailed(images[-1], DETAIL_SIDE)
    part = np.s_[top : top + DETAIL_SIDE, left : left + DETAIL_SIDE]
    gap = np.full((images[0][part].shape[0], 2, 3), 255, np.uint8)
    row = np.concatenate([x for image in images for x in (image[part], gap)][:-1], axis=1)
    row = row.repeat(DETAIL_ZOOM, axis=0).repeat(DETAIL_ZOOM, axis=1)
    return png_bytes(row)


def most_detailed(image: np.ndarray, side: int) -> tuple[int, int]:
    """Top and left of the square, on a grid of half its side, with most gradient energy."""
    corners = [
        (top, left)
        for top in _starts(image.shape[0], side)
        for left in _starts(image.shape[1], side)
    ]
    values = luma(image)
    return max(
        corners, key=lambda at: gradient_energy(values[at[0] : at[0] + side, at[1] : at[1] + side])
    )


def _starts(length: int, side: int) -> range:
    return range(0, max(length - side, 0) + 1, side // 2)
