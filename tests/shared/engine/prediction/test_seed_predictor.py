"""Pictures from lines of seeds: names, classes, bad lines, the same seed in any batch."""

import json

import numpy as np
import pytest
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.common.inputs import Source, find_inputs
from shared.engine.prediction.predict import predict
from shared.engine.prediction.seed_predictor import SeedPredictor, write_seeds
from shared.engine.saved_model.seeded_pictures import noise_of_seeds, png_of_pictures


class Generator(tf.Module):
    """Noise as a grey picture of four pixels."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="seed")])
    def __call__(self, seed):
        noise = tf.reshape(noise_of_seeds(seed, 4, "uniform"), (-1, 2, 2, 1))
        levels = tf.cast(tf.round((noise + 1.0) * 127.5), tf.uint8)
        return {"image_bytes": png_of_pictures(levels)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generator")
    module = Generator()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.__call__})
    return folder


def predicted(saved, data, output, batch_size=3):
    sources = find_inputs([str(data)])
    predict(saved, sources, SeedPredictor(), output, batch_size=batch_size, progress=False)
    lines = (output / "predictions.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_seed_has_one_picture_wherever_it_stands(saved, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("7\n-3\n7\n9223372036854775807\n")
    (tmp_path / "data" / "b.txt").write_text("12\r\n7\n")
    rows = predicted(saved, tmp_path / "data", tmp_path / "out")
    assert [row["seed"] for row in rows] == [7, -3, 7, 2**63 - 1, 12, 7]
    assert rows[5]["image"] == "pictures/b.txt/000002.png"
    contents = [(tmp_path / "out" / row["image"]).read_bytes() for row in rows]
    assert contents[0] == contents[2] == contents[5]
    assert len(set(contents)) == 4
    again = predicted(saved, tmp_path / "data", tmp_path / "again", batch_size=1)
    assert contents == [(tmp_path / "again" / row["image"]).read_bytes() for row in again]


def test_lines_that_are_no_seeds_are_listed(saved, tmp_path):
    file = tmp_path / "seeds.txt"
    file.write_text("1\nx\n\n3\tcat\n9223372036854775808\n2\n")
    rows = predicted(saved, file, tmp_path / "out")
    assert [row["line"] for row in rows] == [1, 6]
    errors = (tmp_path / "out" / "errors.jsonl").read_text().splitlines()
    messages = {json.loads(line)["line"]: json.loads(line)["error"] for line in errors}
    assert messages.keys() == {2, 3, 4, 5}
    assert "'x' is no seed" in messages[2]
    assert "no classes" in messages[4]
    assert "64 bits" in messages[5]


def test_classes_by_name_or_by_the_seed():
    predictor = SeedPredictor(["cat", "dog"])
    assert predictor.inputs == ("seed", "label")

    def read(line):
        return predictor.read(Source("seeds.txt", None, 1, line))

    assert read(b"4\tdog") == {"seed": 4, "label": b"dog"}
    assert read(b"4")["label"] == b"cat"
    assert read(b"-1")["label"] == b"dog"
    with pytest.raises(KerasuiteError, match="class fish: is no class of the model; one of cat, d"):
        read(b"4\tfish")


@pytest.mark.parametrize("noise", ["normal", "uniform"])
def test_noise_depends_on_each_seed_alone(noise):
    seeds = np.arange(2000)
    drawn = noise_of_seeds(tf.constant(seeds), 5, noise).numpy()
    np.testing.assert_array_equal(noise_of_seeds(tf.constant([1500]), 5, noise)[0], drawn[1500])
    deviation = 1.0 if noise == "normal" else 1 / np.sqrt(3)
    assert abs(drawn.mean()) < 0.03
    assert drawn.std() == pytest.approx(deviation, rel=0.03)


def test_seeds_are_written_once(tmp_path):
    path = write_seeds(tmp_path, 3, 5, "cat")
    assert path.read_text() == "5\tcat\n6\tcat\n7\tcat\n"
    write_seeds(tmp_path, 2, 1)
    assert path.read_text() == "1\n2\n"
    (tmp_path / "predictions.jsonl").touch()
    assert write_seeds(tmp_path, 2, 1) == path
    with pytest.raises(KerasuiteError, match="holds other pictures.*--overwrite"):
        write_seeds(tmp_path, 2, 2)
    assert write_seeds(tmp_path, 1, 2, overwrite=True).read_text() == "2\n"
