"""What the output of each case must hold, and must not."""

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
    "robust/09-resumed-log-with-odd-line": (r"predictions.jsonl: line 1 is not one of its results",),
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
}  # fmt: skip


def judge(name: str, text: str) -> list[str]:
    """The faults in the output of a case; none if it is right."""
    faults = [f"says {fault!r}" for fault in FAULTS if fault in text]
    for pattern in EXPECTED.get(name, ()):
        wanted = not pattern.startswith("!")
        if bool(re.search(pattern.removeprefix("!"), text)) != wanted:
            faults.append(f"{'lacks' if wanted else 'says'} {pattern.removeprefix('!')!r}")
    return faults
