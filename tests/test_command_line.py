"""The command line as an interface: help, exit codes, one-line errors, bad input."""

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cli
from shared.testing.app_test import read_lines
from shared.testing.processes import ROOT, kerasuite
from tests.in_process import run_command


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def expect_error(self, *parts, code=1):
        """One line on standard error that holds `parts`, and no traceback."""
        lines = [line for line in self.err.splitlines() if line.startswith("kerasuite:")]
        assert self.code == code, self.err
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        for part in parts:
            assert str(part) in lines[0], lines[0]


@pytest.fixture
def run():
    """Runs `kerasuite ARGUMENTS...` in this process."""

    def call(*arguments):
        done = run_command(*arguments)
        return Result(done.returncode, done.stdout, done.stderr)

    return call


def jpeg(size=(24, 20), seed=0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def write_classes(folder: Path, counts: dict[str, int]) -> Path:
    for label, count in counts.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            (folder / label / f"{index}.jpg").write_bytes(jpeg(seed=index))
    return folder


def bomb() -> bytes:
    """A PNG of a few hundred bytes whose header promises 30,000 x 30,000 pixels."""

    def checksum(data):
        return struct.pack(">I", zlib.crc32(data))

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_help_lists_the_tasks_and_imports_no_tensorflow():
    code = (
        "import sys; sys.argv = ['kerasuite', '--help']; import cli\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'pydantic', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for task in cli.GROUPS:
        assert task in done.stdout


def test_help_is_quick():
    """Processor time, which other work on the machine does not lengthen as it does a clock."""
    seconds = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-m", "cli", "--help"], cwd=ROOT, capture_output=True)
        after = os.times()
        used = after.children_user + after.children_system
        seconds.append(used - before.children_user - before.children_system)
    assert min(seconds) < 0.5, seconds


@pytest.mark.parametrize("group", list(cli.GROUPS))
def test_every_group_has_the_common_verbs(run, group):
    result = run(group, "--help")
    assert result.code == 0
    for verb in ("evaluate", "export", "predict", "check"):
        assert verb in result.out


def test_version(run):
    from importlib.metadata import version

    assert run("--version").out.strip() == f"kerasuite {version('kerasuite')}"


@pytest.mark.parametrize(
    "arguments",
    [["classfy"], ["classify", "trian"], ["classify", "train", "--no-such-option"],
     ["classify", "train", "x", "--epochs", "many"], ["classify", "evaluate"]],
)  # fmt: skip
def test_wrong_usage_is_2(run, arguments):
    assert run(*arguments).code == 2


def test_samples_are_listed_and_not_overwritten(run, tmp_path):
    assert "digits" in run("samples").out
    assert run("samples", "digits", tmp_path / "d").code == 0
    run("samples", "digits", tmp_path / "d").expect_error("not empty", "choose a new folder")
    run("samples", "digitz", tmp_path / "e").expect_error("did you mean 'digits'")


def test_an_empty_folder(run, tmp_path):
    (tmp_path / "data").mkdir()
    run("classify", "train", tmp_path / "data").expect_error("no images", "folder per class")


def test_a_missing_folder(run, tmp_path):
    result = run("classify", "train", tmp_path / "nowhere", "--output", tmp_path / "run")
    result.expect_error("nowhere", "no such file or folder")
    assert not (tmp_path / "run").exists()


CHEAP_MISTAKES = {
    ("classify", "train", "data", "--backbone", "resnet81"): "did you mean resnet18",
    ("detect", "train", "data", "--backbone", "nanoo"): "unknown network 'nanoo'",
    ("classify", "train", "data", "--preset", "tinyy"): "did you mean 'tiny'",
    ("classify", "train", "data", "--output", "there"): "already holds a run",
    ("embed", "train", "data", "--output", "full"): "not empty",
    ("translate", "train", "nowhere.en", "data"): "nowhere.en: no such file",
    ("srgan", "check", "nowhere"): "nowhere: no such file",
    ("autoencoder", "train", "data", "--beta", "2"): "--beta: is not used with --kind plain",
    ("cyclegan", "train", "data", "--init", "nowhere"): "--init nowhere: no such file",
    ("bert", "finetune", "data", "--init", "nowhere"): "--init nowhere: no such folder",
    ("bert", "pretrain", "nowhere"): "nowhere: no such file",
    ("embed", "train", "data", "--metric", "psnr"): "one of wordsim353, simlex999",
    ("classify", "train", "data", "--padding", "3"): "--padding: is not used with --crop resized",
}


def test_cheap_mistakes_are_told_before_tensorflow_is_imported(tmp_path):
    """All in one process, whose modules are looked at after the last."""
    (tmp_path / "data").mkdir()
    for name, file in (("there", "config.yaml"), ("full", "letter.txt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    code = f"""
import sys
from tests.in_process import run_command
for words in {list(CHEAP_MISTAKES)}:
    done = run_command(*words)
    print(done.returncode, done.stderr.strip())
assert not {{"tensorflow", "keras"}} & set(sys.modules)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for line, expected in zip(done.stdout.splitlines(), CHEAP_MISTAKES.values(), strict=True):
        assert line.startswith("1 kerasuite: ") and expected in line


def test_no_data_at_all(run):
    run("classify", "train").expect_error("name the DATA")


def test_a_name_that_is_a_path(run, tmp_path):
    run("classify", "train", tmp_path, "--name", "a/b").expect_error("--name a/b", "--output")


def test_devices(run):
    seen = json.loads(run("devices", "--json").out)
    assert seen["CPU threads"] >= 1
    assert seen["auto"].startswith(("single", "mirrored"))
    assert "auto" in run("devices").out


def test_a_cluster_that_cannot_be(run, tmp_path, monkeypatch):
    data = write_classes(tmp_path / "data", {"a": 3, "b": 3})
    train = ("classify", "train", data, "--output", tmp_path / "run", "--strategy", "multiworker")
    run(*train).expect_error("no cluster found", "kerasuite launch")
    monkeypatch.setenv("TF_CONFIG", "{worker")
    run(*train).expect_error("TF_CONFIG: is not JSON")
    assert not (tmp_path / "run").exists()


def test_launch_says_what_it_needs(run):
    run("launch", "--", "classify", "train").expect_error("--workers N")
    hosts = ("--hosts", "a:1,b:2", "--index", "2")
    run("launch", *hosts, "--", "classify", "train").expect_error("--index 2", "workers 0 to 1")


def test_a_class_with_one_image(run, tmp_path):
    data = write_classes(tmp_path / "data", {"many": 5, "lonely": 1})
    run("classify", "train", data).expect_error("'lonely'", "1 readable image", "add images")


def test_one_class_only(run, tmp_path):
    data = write_classes(tmp_path / "data", {"only": 5})
    run("classify", "train", data).expect_error("only one class", "at least two")


def test_bad_images_are_skipped_counted_and_listed(run, tmp_path):
    data = write_classes(tmp_path / "data", {"a": 6, "b": 6})
    bad = {
        "truncated.jpg": jpeg()[:-200],
        "empty.png": b"",
        "text.jpg": b"Dear Sir or Madam",
        "bomb.png": bomb(),
        "名前-ünï.jpg": b"not an image",
    }
    for name, content in bad.items():
        (data / "a" / name).write_bytes(content)
    long = data / "b" / ("l" * 240 + ".jpg")
    long.write_bytes(jpeg())
    folder = tmp_path / "run"
    result = run("classify", "train", data, "--preset", "test", "--epochs", 1, "--output", folder)
    assert result.code == 0, result.err
    assert f"{len(bad)} images" in result.out + result.err
    skipped = (folder / "skipped.csv").read_text()
    for name in bad:
        assert name in skipped
    assert "900" in skipped  # megapixels of the bomb
    used = (folder / "images.jsonl").read_text()
    assert long.name in used
    result = run("classify", "check", data)
    assert result.code == 3
    assert all(name in result.out for name in bad)


def test_only_bad_images(run, tmp_path):
    for label in "ab":
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "x.jpg").write_bytes(b"no")
    run("classify", "train", tmp_path / "data").expect_error("none of 2 images can be read")


def test_config_with_an_unknown_key(run, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("model:\n  backbon: resnet18\n")
    run("classify", "train", "x", "--config", config).expect_error(
        "c.yaml", "unknown key 'model.backbon'", "model.backbone"
    )


def test_an_unknown_network(run, tmp_path):
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    arguments = ("--backbone", "resnet81", "--output", tmp_path / "run")
    run("classify", "train", data, *arguments).expect_error("resnet81", "did you mean")


def test_csv_errors_name_the_line(run, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("path,label\na.jpg,cat\nb.jpg,\n")
    run("classify", "train", table).expect_error("t.csv, line 3", "label")
    table.write_text("file,class\na.jpg,cat\n")
    run("classify", "train", table).expect_error("path,label", "missing")


@pytest.mark.parametrize("output", ["/proc/kerasuite/run", "a-file/run"])
def test_output_that_cannot_be_written(run, tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("")
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    result = run("classify", "train", data, "--preset", "test", "--output", output)
    result.expect_error(output.split("/")[-2])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a small file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_keeps_the_last_good_state(run, tmp_path, small_disk):
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    folder = small_disk / "run"
    options = ("--preset", "test", "--width", "16", "--output", folder)
    run("classify", "train", data, *options).expect_error("No space left", "free some space")
    assert not list(folder.rglob(".partial-*"))


def test_a_run_folder_that_is_none(run, tmp_path):
    for verb in ("evaluate", "export"):
        run("classify", verb, tmp_path).expect_error("is not a run folder")
    run("classify", "train", "--resume", "--output", tmp_path).expect_error("no run to resume")
    run("inspect", tmp_path).expect_error(tmp_path.name)


def test_options_that_cannot_change_on_resume(run, tmp_path):
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    folder = tmp_path / "run"
    done = run("classify", "train", data, "--preset", "test", "--output", folder)
    assert done.code == 0
    assert "On the validation data: loss" in done.out and "index.html" in done.out
    before = (folder / "history.csv").read_bytes()
    again = ("classify", "train", "--output", folder, "--resume")
    run(*again, "--learning-rate", "1").expect_error("--learning-rate", "cannot change")
    run("classify", "train", data, "--output", folder).expect_error("already holds a run")
    assert run(*again).code == 0
    evaluated = run("classify", "evaluate", folder, data).out
    assert evaluated.startswith(f"On {data}:") and "evaluation/index.html" in evaluated
    assert (folder / "history.csv").read_bytes() == before


@pytest.mark.parametrize(
    "closed",
    [
        "<&- >&- 2>&-",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("2>&-", ">&-", "<&-")),
    ],
)
def test_closed_standard_streams(tmp_path, closed):
    """As a daemon has them: the same exit code, and nothing printed lands in a file."""
    data = write_classes(tmp_path / "data", {"a": 2, "b": 2})
    command = f"{sys.executable} -m cli classify check {data}"
    done = subprocess.run(["bash", "-c", f"{command} {closed}"], cwd=ROOT, capture_output=True)
    assert done.returncode == 3, done.stderr  # The same pictures under two labels.
    assert (b"problem(s)" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))
    assert not done.stderr


def test_output_in_ascii(tmp_path):
    data = write_classes(tmp_path / "data", {"ünï": 2, "b": 2})
    (data / "ünï" / "名前.jpg").write_bytes(b"not an image")
    (data / "b" / os.fsdecode(b"\xff.jpg")).write_bytes(b"not an image")
    done = subprocess.run(
        [sys.executable, "-m", "cli", "classify", "check", data],
        cwd=ROOT, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "名前.jpg".encode("ascii", "backslashreplace") in done.stdout
    assert b"internal error" not in done.stderr


def test_names_that_are_not_utf8(run, tmp_path):
    odd = os.fsdecode(b"run-\xff")
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    run("classify", "train", data, "--output", tmp_path / odd).expect_error("--output", "not UTF-8")
    run("classify", "train", data, f"--name={odd}").expect_error("--name", "not UTF-8")
    data.rename(tmp_path / odd)
    result = run("classify", "train", tmp_path / odd, "--output", tmp_path / "run")
    result.expect_error("not UTF-8", "rename")
    assert not (tmp_path / "run").exists()


def test_internal_errors_are_one_line_too(run, monkeypatch):
    from shared.engine import verbs

    def fail(*arguments, **options):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(verbs, "load_app", fail)
    run("classify", "evaluate", "x").expect_error("internal error", "first line", "--debug")
    assert "Traceback" in run("classify", "evaluate", "x", "--debug").err


def test_predict_from_standard_input_and_globs(tmp_path):
    """A run folder is exported once; `-` is the content of one file."""
    data = write_classes(tmp_path / "data", {"a": 4, "b": 4})
    folder = tmp_path / "run"
    train = ("classify", "train", data, "--preset", "test", "--epochs", 1, "--output", folder)
    assert kerasuite(*train).returncode == 0
    arguments = ("classify", "predict", folder)
    done = kerasuite(*arguments, str(data / "a" / "*.jpg"), "--output", tmp_path / "glob")
    assert done.returncode == 0, done.stderr
    assert len(read_lines(tmp_path / "glob" / "predictions.jsonl")) == 4
    with open(data / "b" / "0.jpg", "rb") as image:
        done = kerasuite(*arguments, "-", "--output", tmp_path / "in", stdin=image)
    assert done.returncode == 0, done.stderr
    row = read_lines(tmp_path / "in" / "predictions.jsonl")[0]
    assert set(row["probabilities"]) == {"a", "b"}
    done = kerasuite("inspect", folder / "export" / "classify" / "run", "--json")
    assert "image_bytes" in json.dumps(json.loads(done.stdout))
    assert os.listdir(folder / "export" / "classify" / "run") == ["1"]
