"""An `AppCase` of every application, and the small data that their common checks use."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from shared.testing.app_test import AppCase


def write_digits(folder: Path) -> list[str]:
    """Forty digits in four classes."""
    from sklearn.datasets import load_digits

    digits = load_digits(n_class=4)
    for index in range(40):
        label = folder / str(digits.target[index])
        label.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.uint8(digits.images[index] * 15)).save(label / f"{index}.png")
    return [str(folder)]


def write_boxes(folder: Path) -> list[str]:
    """Twenty-four images with one to three coloured rectangles, in YOLO's format."""
    generator = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for index in range(24):
        height, width = generator.integers(48, 96, 2)
        pixels = generator.integers(0, 80, (height, width, 3), dtype=np.uint8)
        rows = []
        for label in generator.integers(0, 2, 1 + index % 3):
            side = generator.integers(16, 32)
            left, top = generator.integers(0, width - side), generator.integers(0, height - side)
            pixels[top : top + side, left : left + side, label] = 255
            centre = (left + side / 2) / width, (top + side / 2) / height
            rows.append(f"{label} {centre[0]} {centre[1]} {side / width} {side / height}")
        Image.fromarray(pixels).save(folder / "images" / f"{index:02}.png")
        (folder / "labels" / f"{index:02}.txt").write_text("\n".join(rows) + "\n")
    (folder / "data.yaml").write_text("path: .\ntrain: images\nnames: [red, green]\n")
    return [str(folder)]


def write_pictures(folder: Path) -> tuple[int, int]:
    """Twenty pictures of unequal sizes, formats and modes; two corrupt files."""
    generator = np.random.default_rng(0)
    formats = [("JPEG", "RGB"), ("PNG", "RGBA"), ("BMP", "RGB"), ("GIF", "P"), ("TIFF", "L")]
    for index in range(20):
        suffix, mode = formats[index % 5]
        height, width = generator.integers(5, 60, 2)
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{index:02}.{suffix.lower()}", suffix)
    out = io.BytesIO()
    Image.new("RGB", (40, 40)).save(out, "JPEG")
    (folder / "05-truncated.jpg").write_bytes(out.getvalue()[:-200])
    (folder / "11-text.png").write_text("no image")
    return 20, 2


def write_corpus(folder: Path) -> list[str]:
    """The first articles of gensim's Lee corpus, one a line: some thousand words."""
    from gensim.test.utils import datapath

    folder.mkdir(parents=True, exist_ok=True)
    lines = Path(datapath("lee_background.cor")).read_text(encoding="utf-8").splitlines()
    (folder / "corpus.txt").write_text("\n".join(lines[:16]) + "\n", encoding="utf-8")
    return [str(folder)]


def write_texts(folder: Path) -> tuple[int, int]:
    """Eighteen texts of unequal length; one without words and one of unknown words only."""
    generator = np.random.default_rng(0)
    words = ["the", "police", "fire", "south", "people", "government", "unheard-of"]
    for index in range(18):
        text = " ".join(generator.choice(words, generator.integers(2, 300)))
        (folder / f"{index:02}.txt").write_text(f"the {text}\n")
    (folder / "05-empty.txt").write_text("")
    (folder / "11-unknown.txt").write_text("xyzzy plugh\n")
    return 18, 2


def write_pairs(folder: Path) -> list[str]:
    """A hundred numbers in words and figures."""
    from num2words import num2words

    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = generator.permutation(400)[:100]
    (folder / "train.en").write_text("".join(f"{num2words(number)}\n" for number in numbers))
    (folder / "train.fr").write_text("".join(f"{' '.join(str(n))}\n" for n in numbers))
    return [str(folder / "train.en"), str(folder / "train.fr")]


def write_lines(folder: Path) -> tuple[int, int]:
    """Eighteen lines in three files, empty and odd ones among them; one file that is no UTF-8."""
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_bytes(
            b"one hundred\n\ntwo hundred and six\r\nthree\x00 \xff\none " + b"and two " * 60
            + b"\nsix"
        )  # fmt: skip
    (folder / "bb.txt").write_bytes("\ufeffone".encode("utf-16"))
    return 18, 1


def write_scenes(folder: Path) -> list[str]:
    """Ten pictures of coarse coloured noise."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(10):
        coarse = generator.integers(0, 256, (7, 7, 3), dtype=np.uint8)
        scene = Image.fromarray(coarse).resize((50, 45), Image.Resampling.BICUBIC)
        scene.save(folder / f"{index}.png")
    return [str(folder)]


def write_domains(folder: Path) -> list[str]:
    """Eighteen reddish and fourteen bluish pictures of coarse noise."""
    generator = np.random.default_rng(0)
    for name, count, channel in (("trainA", 18, 0), ("trainB", 14, 2)):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            coarse = generator.integers(0, 100, (6, 6, 3), dtype=np.uint8)
            coarse[..., channel] += 150
            picture = Image.fromarray(coarse).resize((44, 40), Image.Resampling.BICUBIC)
            picture.save(folder / name / f"{index:02}.png")
    return [str(folder)]


def write_sentences(folder: Path) -> list[str]:
    """Eighty generated sentences with a label."""
    from shared.samples.sentiment import write_sentiment

    write_sentiment(folder / "all")
    lines = (folder / "all" / "train.tsv").read_text().splitlines()
    (folder / "train.tsv").write_text("".join(f"{line}\n" for line in lines[:81]))
    return [str(folder / "train.tsv")]


def write_table(folder: Path) -> list[str]:
    """Sixty rows with numbers, categories, truth values, dates and gaps, in two classes."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["size (m²),colour,sold,since,class"]
    for index in range(60):
        size, day = generator.normal(50, 20), generator.integers(1, 29)
        colour = generator.choice(["red", "green", "", "blue"])
        sold = generator.choice(["yes", "no"])
        big = size + 15 * (colour == "red") > 55
        shown = "" if index % 9 == 5 else f"{size:.2f}"
        lines.append(f"{shown},{colour},{sold},2024-{1 + index % 12:02}-{day:02},{int(big)}")
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    return [str(folder / "train.csv")]


def write_rows(folder: Path) -> tuple[int, int]:
    """Eighteen rows in three files, with gaps and quotes; two bad rows."""
    header = "class,since,sold,colour,size (m²)\n"
    row = '0,2024-02-29,YES,"gr\neen",12.5\n1,2023-01-01,no,purple,\n,,,,1e3\n'
    bad = "1,29.02.2024,no,red,3\n1,2\n"
    for name, extra in (("a", ""), ("b", bad), ("c", "")):
        (folder / f"{name}.csv").write_text(header + row + extra + row)
    return 18, 2


def write_series(folder: Path) -> list[str]:
    """Eighty days of two shops, with a gap and a price that is known beforehand."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [line for shop in ("a", "b") for line in _days(shop, 80)]
    del lines[30]
    (folder / "train.csv").write_text("\n".join(["day,shop,price,sold", *lines]) + "\n")
    return [str(folder / "train.csv")]


def write_histories(folder: Path) -> tuple[int, int]:
    """Eighteen series in six files, known and new ones; one too short, a file without prices."""
    for number in range(6):
        lines = [line for shop in ("b", "a", f"new {number}") for line in _days(shop, 20, 4)]
        lines += _days("short", 9, 4) * (number == 3)
        (folder / f"{number}.csv").write_text("\n".join(["day,shop,price,sold", *lines]) + "\n")
    (folder / "without.csv").write_text("day,shop,sold\n2024-01-01,a,3\n")
    return 18, 2


def _days(shop: str, count: int, ahead: int = 0) -> list[str]:
    """Rows of a shop; of the last ones only the prices are known."""
    generator = np.random.default_rng(len(shop) + count)
    lines = []
    for index in range(count + ahead):
        day = np.datetime64("2024-01-01") + index
        price = index % 5
        sold = 10 + 4 * np.sin(index * 2 * np.pi / 7) - price + generator.normal()
        lines.append(f"{day},{shop},{price},{'' if index >= count else f'{sold:.3f}'}")
    return lines


def write_seed_lines(folder: Path) -> tuple[int, int]:
    """Eighteen seeds in three files, with and without a class; two bad lines."""
    for name, bad in (("a", ""), ("b", "no seed\n5\tno class\n"), ("c", "")):
        lines = "1\n-7\t2\r\n1\n" + bad + "9223372036854775807\n0\t0\n3"
        (folder / f"{name}.txt").write_text(lines)
    return 18, 2


def write_labelled_colours(folder: Path) -> list[str]:
    """Forty-eight pictures with a bright channel for each of their labels, in a table."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["path,red,green,blue"]
    for index in range(48):
        bright = [index >> bit & 1 for bit in range(3)]
        pixels = generator.integers(0, 60, (16, 16, 3)) + 180 * np.array(bright)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index:02}.png")
        lines.append(f"{index:02}.png,{','.join(map(str, bright))}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return [str(folder / "labels.csv")]


def write_labelled_sentences(folder: Path) -> list[str]:
    """Eighty sentences with none to three labels."""
    words = {"fun": "happy", "rain": "sad", "news": "calm"}
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["text\tlabels"]
    for number in range(80):
        chosen = [word for bit, word in enumerate(words) if number >> bit & 1]
        labels = ",".join(words[word] for word in chosen)
        lines.append(f"day {number} has {' '.join(chosen)} .\t{labels}")
    (folder / "train.tsv").write_text("\n".join(lines) + "\n")
    return [str(folder / "train.tsv")]


CASES = {
    # Steps take milliseconds; epochs enough that there is time to kill them.
    "embed": AppCase(
        "embed",
        "apps.embeddings.app:EmbedApp",
        write_corpus,
        write_texts,
        options=("--epochs", "10"),
    ),
    "embed-glove": AppCase(
        "embed",
        "apps.embeddings.app:EmbedApp",
        write_corpus,
        write_texts,
        options=("--epochs", "3"),
        # A step of a few co-occurrences would have none for most lanes.
        settings={"model.algorithm": "glove", "batch_size": 4096},
    ),
    "detect": AppCase("detect", "apps.vision.detection.app:DetectApp", write_boxes, write_pictures),
    "detect-ssd": AppCase(
        "detect",
        "apps.vision.detection.app:DetectApp",
        write_boxes,
        write_pictures,
        settings={"model.architecture": "ssd"},
    ),
    "detect-faster-rcnn": AppCase(
        "detect",
        "apps.vision.detection.app:DetectApp",
        write_boxes,
        write_pictures,
        settings={
            "model.architecture": "faster-rcnn",
            "faster_rcnn.anchor_scale": 2.0,
            "faster_rcnn.proposals": 60,
            "faster_rcnn.region_samples": 32,
        },
        # In the fourth step roundings have changed a choice: of a proposal, or of a sample.
        compared_steps=3,
    ),
    "classify": AppCase(
        "classify",
        "apps.vision.classification.app:ClassifyApp",
        write_digits,
        write_pictures,
        # In the fourth step roundings have changed the sign of an input of a ReLU (batch of 8).
        compared_steps=3,
    ),
    "classify-multilabel": AppCase(
        "classify",
        "apps.vision.classification.app:ClassifyApp",
        write_labelled_colours,
        write_pictures,
        # As above, in the third step: 0.0007 apart, where the first two agree in six digits.
        compared_steps=2,
    ),
    "translate": AppCase(
        "translate", "apps.translation.app:TranslateApp", write_pairs, write_lines
    ),
    "lm": AppCase("lm", "apps.language.app:LanguageApp", write_corpus, write_lines),
    "bert-finetune": AppCase(
        "bert",
        "apps.bert.finetuning.app:FinetuneApp",
        write_sentences,
        write_lines,
        verb="finetune",
    ),
    "bert-multilabel": AppCase(
        "bert",
        "apps.bert.finetuning.app:FinetuneApp",
        write_labelled_sentences,
        write_lines,
        verb="finetune",
    ),
    "bert-pretrain": AppCase(
        "bert",
        "apps.bert.pretraining.app:PretrainApp",
        write_corpus,
        write_lines,
        verb="pretrain",
        predict_verb="embed",
    ),
    "table": AppCase(
        "table",
        "apps.tables.perceptrons.app:TableApp",
        write_table,
        write_rows,
        options=("--epochs", "10"),
        settings={
            "data_options.target": "class",
            "model.normalization": "batch",
            "model.number_embedding": "periodic",
        },
    ),
    "table-ft-transformer": AppCase(
        "table",
        "apps.tables.perceptrons.app:TableApp",
        write_table,
        write_rows,
        settings={
            "data_options.target": "class",
            "model.architecture": "ft-transformer",
            "model.hidden_dim": 16,
            "model.attention_dropout": 0.0,
        },
    ),
    # Two series with covariates and quantiles, each step from the one before.
    "forecast": AppCase(
        "forecast",
        "apps.tables.forecast.app:ForecastApp",
        write_series,
        write_histories,
        settings={
            "data_options.series": "shop",
            "data_options.future": "price",
            "model.architecture": "gru",
            "model.decoding": "autoregressive",
            "loss.quantiles": "0.1,0.5,0.9",
        },
    ),
    "forecast-transformer": AppCase(
        "forecast",
        "apps.tables.forecast.app:ForecastApp",
        write_series,
        write_histories,
        settings={
            "data_options.series": "shop",
            "model.architecture": "transformer",
            "model.patch_length": 4,
        },
    ),
    "gan": AppCase(
        "gan",
        "apps.generative.gan.app:GANApp",
        write_digits,
        write_seed_lines,
        settings={"data_options.labels": True, "objective.critic_steps": 2},
    ),
    "gan-wasserstein": AppCase(
        "gan",
        "apps.generative.gan.app:GANApp",
        write_digits,
        write_seed_lines,
        settings={
            "data_options.labels": True,
            "model.architecture": "resnet",
            "model.discriminator_normalization": "layer",
            "objective.loss": "wasserstein",
            "objective.constraint": "penalty",
        },
    ),
    "cyclegan": AppCase(
        "cyclegan", "apps.generative.cyclegan.app:CycleGANApp", write_domains, write_pictures
    ),
    "autoencoder": AppCase(
        "autoencoder",
        "apps.generative.autoencoder.app:AutoencoderApp",
        write_digits,
        write_pictures,
    ),
    # The penalty is of the mean over the whole batch.
    "autoencoder-sparse": AppCase(
        "autoencoder",
        "apps.generative.autoencoder.app:AutoencoderApp",
        write_digits,
        write_pictures,
        settings={"model.kind": "sparse", "model.architecture": "mlp"},
    ),
    # The adversarial stage: two networks and two optimizers.
    "srgan": AppCase("srgan", "apps.generative.srgan.app:SrganApp", write_scenes, write_pictures),
}
