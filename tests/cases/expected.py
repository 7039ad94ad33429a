"""Contents that the output of each case must have, and must not have."""

import re

# Never right, whatever the case.
FAULTS = ("internal error", "Traceback (most recent call last)")
# Case to patterns that its output must hold, in any order; with "!" in front: must not hold.
EXPECTED: dict[str, tuple[str, ...]] = {
    "robust/01-yaml-alias-bomb-config": (r"bomb.yaml, line 2: is no YAML of plain values",),
    "robust/03-yaml-bad-date": (r"c.yaml: is not valid YAML", r"exit code 1"),
    "robust/03-yaml-deep": (r"c.yaml: is not valid YAML", r"exit code 1"),
    "robust/04-squad-wrong-types": (
        r"answers-of-strings.json: question 1: its answers are no list",
        r"answers-number.json: question 1: its answers are no list",
        r"deep.json: its JSON is nested too deeply",
    ),
    "robust/05-vector-files": (
        r"cut.gz: is damaged", r"garbage.gz: is damaged", r"header.txt: has 1 vectors",
        r"count.txt: has 1 vectors", r"dim.bin: its first line promises",
    ),
    "robust/07-checkpoint-flipped-byte": (r"npz is damaged and is skipped", r"exit code 0"),
    "robust/08-run-files-damaged": (r"run/artifacts.json: is damaged", r"classify export run"),
    "robust/09-resumed-log-with-odd-line": (r"jsonl: line 1 is not one of its results",),
    "robust/10-hugging-face-giant-numbers": (
        r"m/config.json: vocab_size is 1000000000000", r"m/tokenizer.json: the number of",
        r"vocab_size: 1", r"tokenizer: 1",
    ),
    "robust/12-two-trainings-one-output": (r"another process trains this run", r"Everything is in"),
    "robust/13-two-trainings-default-output": (r"runs/classify/test\n", r"runs/classify/test-2"),
    "robust/14-predict-link-to-device": (r"2 predicted, 1 rejected(.|\n)*2 predicted, 1 rejected",),
    "robust/15-image-damaged-after-start": (r"png: text, not an image; the run needs it",),
    "robust/16-output-removed-during-predict": (r"predict: 1", r"is no longer there"),
    "robust/17-closed-stderr": (r"No problems found.", r"exit code 0"),
    "robust/18-ascii-output": (r"2 images, 2 readable", r"\\xfcn\\xef"),
    "robust/19-keras-backend-and-keras-json": (r"accuracy +0.75(.|\n)*accuracy +0.75",),
    "robust/20-leftovers-of-kills": (r"after the end:\nexit code 0",),
    "robust/21-rendezvous-stranger": (r"worker 1 \(localhost:29872\) did not come",),
    "robust/23-tiff-giant-tile": (r"1.tif: 16 x 16, but a tile of 46000 x 46000", r"exit code 3"),
    "robust/24-killed-while-config-is-written": (r"Everything is in run",),
    "robust/25-interrupted-twin-removes-the-run": (r"another process trains|model.keras",),
    "robust/26-fifo-among-pictures": (r"in/b/x.png: not a regular file", r"exit code 3"),
    "robust/27-escape-codes-to-the-terminal": (r"\\x1b\]0;owned", "!\x1b\\[31m.png"),
    "robust/28-csv-formulas": (r"(?m)^'=1\+1.png,",),
    "robust/29-coco-file-name-outside": (r"no image '../../../secret.png' below coco",),
    "robust/30-bmp-of-30-bytes": (r"9 images, 9 readable|PNG 8, BMP 1", r"exit code 0"),
    "robust/32-html-in-model-card": (r"(?m)^0$", "!(?m)^\\d+:.*<img"),
    "robust/33-output-path-not-utf8": (r"is not UTF-8; choose another name",),
    "robust/34-errors-without-file": (r"run/tokens.bin: File too large", r"v.gz: is damaged"),
    "robust/35-prepared-data-without-checksum": (r"run/tokens.bin: is damaged",),
    "robust/37-signal-lost": (r"interrupted, as it should be",),
    "text/01-conll-comment-decides-delimiter": (r"B-PER: 27", r"8 words a text in the median"),
    "text/02-conllu-germeval-index-column": (r"column 2 is read as words, column 4 as tags",),
    "text/03-latin1-labelled-data-silent": (r"latin.tsv: 60 line\(s\) are not UTF-8",),
    "text/04-flores-codes-bleu": (r"tok:zh",),
    "text/05-tsv-ids-or-scores-first": (r"scored.tsv: columns 2 and 3 are read as sentences",),
    "text/06-nan-label": (r"1 rows without a label \(written nan\) are left out", "pearson"),
    "text/08-header-row-becomes-class": (r"sms.csv: the first row .* is taken for a header",),
    "text/09-json-lines-and-flat-qa": (r"task type: question-answering", "0: 29"),
    "text/10-semicolon-csv": (r"semi.csv: the columns are parted by semicolons",),
    "text/11-vectors-parted-by-tabs": (r"6 vectors of 5 numbers", r"(?m)^the 1.031453 0.16101"),
    "text/13-fasttext-bin-zip-kv": (r"native.kv: is a pickle", "queen"),
    "text/14-analogy-comment-and-spaces-in-pairs": (r"combined_pairs +80 of 199",),
    "text/15-nul-in-corpus": (r"1 byte\(s\) are not UTF-8 or zero", r"1 lines hold bytes"),
    "text/16-sharded-index-stale-tensor": (r"6 predicted", "!differ"),
    "text/18-sentence-transformers-pooling": (r"as modules.json says: cls, of length 1",),
    "text/19-vocab-blank-duplicate-pad1": (r"1 lines are blank or repeated", r"PAD\] is number 1"),
    "text/27-one-label": (r"all labels are 'ham'(.|\n)*rc=3(.|\n)*rc=1",),
    "vision/01-yolo-exif-upright": (
        r"3 image\(s\) are turned upright", r"p3.jpg 60 80 \[\[6.0, 8.0, 12.0, 32.0\]\]",
    ),
    "vision/02-yolo-pose-labels": (
        r"k0.jpg \[\[30.0, 20.0, 20.0, 40.0\]\]", r"key points", "!outline",
    ),
    "vision/03-class-with-unread-suffix": (r"4 .heic", r"the class 'bird' has no image"),
    "vision/04-class-missing-in-val": (r"no validation image of blue", r"'f1': 1.0"),
    "vision/05-coco-image-listed-twice": (r"(?m)^5 boxes", r"a0.jpg: is listed twice"),
    "vision/07-cvat-ultralytics-export": (r"4 images, 0 of them", r"2 images, 0 of them"),
    "vision/08-class-names-in-other-scripts": (r"9 boxes", r"no installed font has|No problems"),
    "vision/10-class-folder-called-train": (r"3 classes", "bus: 4"),
    "vision/11-category-name-with-newline": (
        r"\[\(0, 'crab'\), \(1, 'eel'\), \(2, 'ray'\)\]", r"(?m)^crab\neel\nray$",
    ),
    "vision/12-mixed-case-suffix-clash": (r"names are unique",),
    "vision/13-odd-image-files": (r"38 out/predictions.jsonl", r"heic_named.jpg.*HEIC"),
    "vision/15-voc-odd-xml": (r"k_gbk.jpg 100 80 \[\('猫'", r"q_empty.jpg 100 80 \[\]"),
    "vision/17-yolo-odd-rows": (
        r"nc is 3, but there are 2 names", r"k.txt, line 1: a row with 6 numbers",
        r"are found without their first folders",
    ),
    "vision/18-classify-csv-quirks": (
        r"semicolon.csv: the first line must name the columns", r"utf16.csv: is not a UTF-8 CSV",
        r"3.png: is named twice", r"split 'test' is not train or val",
    ),
    "vision/20-bad-label-becomes-background": (r"2 image\(s\) are left out", r"3.xml: is no XML"),
    # Of its folders, voc, coco and gan did not come with it.
    "vision/22-symlinked-image-folders": (
        r"4 images, 0 of them without boxes", r"cat: 6\n +dog: 4", r"6 usable images",
    ),
    "vision/23-zip-from-a-mac": (r"train 3, validation 1", "cat: 3", "dog: 3", "!MACOSX"),
    "vision/24-coco-same-names-in-both-parts": (r"train 3, validation 3", "6 images"),
    "vision/25-resume-after-data-changed": (r"newer than the run",),
    "vision/27-names-with-line-separators": (r"\(1, 'eel'\), \(2, 'ray'\)",),
}  # fmt: skip


def judge(name: str, text: str) -> list[str]:
    """The faults in the output of a case; none if it is right."""
    # Python itself reports what is raised in a callback.
    ours = "" if "Exception ignored in" in text else text
    faults = [f"says {fault!r}" for fault in FAULTS if fault in ours]
    for pattern in EXPECTED.get(name, ()):
        wanted = not pattern.startswith("!")
        if bool(re.search(pattern.removeprefix("!"), text)) != wanted:
            faults.append(f"{'lacks' if wanted else 'says'} {pattern.removeprefix('!')!r}")
    return faults
