"""Trainings of language models on real data against their floors: `make quality`."""

import json
import time

import pytest

from shared.testing.app_test import expect_success, kerasuite
from tests.quality.results import write_result

pytestmark = pytest.mark.quality

PUBLISHED = "1.88 (nanoGPT, 2,000 steps on a CPU), 1.47 (nanoGPT, 11 million weights on a GPU)"


def test_shakespeare_by_characters(real_data, tmp_path):
    """Nats a character on the last tenth, ten minutes on two cores."""
    data, run = real_data / "tinyshakespeare" / "input.txt", tmp_path / "run"
    started = time.perf_counter()
    command = ("lm", "train", data, "--preset", "char-transformer", "--output", run)
    expect_success(kerasuite(*command, timeout=3600))
    seconds = time.perf_counter() - started
    metrics = json.loads((run / "metrics.json").read_text())
    print(f"\n{metrics} in {seconds:.0f} s")
    sample = kerasuite("lm", "sample", run, "--prompt", "ROMEO:", "--max-tokens", 300)
    print(sample.stdout)
    write_result(
        "lm-tinyshakespeare-char-transformer",
        "kerasuite lm train tinyshakespeare/input.txt --preset char-transformer",
        "tinyshakespeare, the last tenth of its characters", "loss in nats a character",
        f"{metrics['loss']:.2f}", seconds, PUBLISHED,
    )  # fmt: skip
    assert metrics["loss"] <= 1.80
    assert seconds <= 660
