"""CycleGAN on real paintings and photographs against its floors: `make quality`."""

import json
import time

import pytest

from shared.testing.app_test import expect_success, kerasuite
from tests.quality.results import write_result

pytestmark = pytest.mark.quality


def test_monet_to_photo(real_data, tmp_path):
    """A fixed tenth held out, 64 pixels: comes back, and looks like the other domain."""
    run = tmp_path / "run"
    started = time.perf_counter()
    options = ("--preset", "small", "--output", run)
    expect_success(
        kerasuite("cyclegan", "train", real_data / "monet2photo", *options, timeout=7200)
    )
    minutes = (time.perf_counter() - started) / 60
    metrics = json.loads((run / "metrics.json").read_text())
    cycle = metrics["cycle_l1"]
    before, after = metrics["a2b_taken_before"], metrics["a2b_taken"]
    print(
        f"\nmonet2photo: cycle L1 {cycle:.4f}; paintings taken for photographs: {before:.1%} "
        f"before, {after:.1%} after translation; classifier {metrics['judge_accuracy']:.1%} "
        f"right; {minutes:.0f} minutes"
    )
    write_result(
        "cyclegan-monet2photo", "kerasuite cyclegan train monet2photo --preset small",
        "monet2photo, held-out paintings, 64 pixels",
        "taken for photos by a classifier; cycle L1",
        f"{after:.1%} ({before:.1%} before); {cycle:.3f}", minutes * 60,
    )  # fmt: skip
    assert cycle < 0.15
    assert before <= 0.15
    assert after >= 0.45
    assert minutes < 90
