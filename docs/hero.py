"""Makes docs/images/hero.png from a folder with results of three tasks.

    kerasuite samples photos photos
    kerasuite srgan train photos/train --validation photos/validation --preset lite --epochs 60 \
        --output runs/x4
    python docs/hero.py reduce photos/validation/chelsea-01.png small/chelsea-01.png
    kerasuite srgan predict runs/x4 small --output large
    python docs/hero.py draw found/images/unlabelled-004.jpg small/chelsea-01.png \
        large/chelsea-01.png numbers/input.txt translated/translations/input.txt --font CJK.ttf

The detector and the translator are those of the sessions in docs/pages/tasks.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
HEIGHT, GAP, CAPTION, WIDTH_OF_TEXT = 280, 16, 30, 420
INK, FAINT, PAPER = "#202020", "#606060", "#ffffff"

app = typer.Typer()


@app.command()
def reduce(picture: Path, output: Path, scale: int = 4) -> None:
    """Reduce a picture, cut to a multiple of the scale."""
    with Image.open(picture) as opened:
        image = opened.convert("RGB")
    width, height = (side // scale for side in image.size)
    image = image.crop((0, 0, width * scale, height * scale))
    output.parent.mkdir(parents=True, exist_ok=True)
    image.resize((width, height), Image.Resampling.BICUBIC).save(output)


@app.command()
def draw(
    detected: Path,
    small: Path,
    large: Path,
    sources: Path,
    translations: Path,
    font: Annotated[Path, typer.Option(help="Font with the letters of both languages.")],
    lines: int = 4,
    output: Path = ROOT / "docs" / "images" / "hero.png",
) -> None:
    """Put the results of three tasks side by side."""
    enlarged = Image.open(large).convert("RGB")
    bicubic = Image.open(small).convert("RGB").resize(enlarged.size, Image.Resampling.BICUBIC)
    box = _detail(enlarged.size)
    pairs = list(zip(_lines(sources), _lines(translations), strict=True))
    # Short sentences fit beside the pictures.
    shown = sorted(pairs, key=lambda pair: len(pair[0]))[:lines]
    panels = [
        ("detect", _fitted(Image.open(detected).convert("RGB"))),
        ("enlarged 4 times: bicubic", _fitted(bicubic.crop(box))),
        ("enlarged 4 times: srgan", _fitted(enlarged.crop(box))),
        ("translate", _text(shown, font)),
    ]
    width = sum(panel.width for _, panel in panels) + GAP * (len(panels) + 1)
    canvas = Image.new("RGB", (width, HEIGHT + CAPTION + 2 * GAP), PAPER)
    brush, left = ImageDraw.Draw(canvas), GAP
    for title, panel in panels:
        brush.text((left, GAP // 2), title, FAINT, ImageFont.truetype(str(font), 18))
        canvas.paste(panel, (left, GAP + CAPTION))
        left += panel.width + GAP
    canvas.save(output, optimize=True)
    typer.echo(f"{output}: {canvas.width} x {canvas.height}, {output.stat().st_size:,} bytes")


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _detail(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The middle of a picture, 160 pixels wide at most."""
    side = min(160, *size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2 - side // 6
    return left, max(top, 0), left + side, max(top, 0) + side


def _fitted(image: Image.Image) -> Image.Image:
    width = round(image.width * HEIGHT / image.height)
    return image.resize((width, HEIGHT), Image.Resampling.LANCZOS)


def _text(pairs: list[tuple[str, str]], font: Path) -> Image.Image:
    image = Image.new("RGB", (WIDTH_OF_TEXT, HEIGHT), "#f4f4f4")
    brush, step = ImageDraw.Draw(image), HEIGHT // len(pairs)
    for number, (source, translation) in enumerate(pairs):
        top = number * step + 8
        brush.text((12, top), source, FAINT, ImageFont.truetype(str(font), 17))
        brush.text((12, top + 26), translation, INK, ImageFont.truetype(str(font), 26))
    return image


if __name__ == "__main__":
    app()
