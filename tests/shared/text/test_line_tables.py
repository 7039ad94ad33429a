"""Tables of a file with one entry a line."""

import tensorflow as tf

from shared.text.line_tables import line_by_number, number_by_line


def test_both_directions(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("the cat\nkäse\n猫\n", encoding="utf-8")
    lines = line_by_number(path).lookup(tf.constant([2, 0, 9, -1], tf.int64))
    assert [line.decode() for line in lines.numpy()] == ["猫", "the cat", "", ""]
    numbers = number_by_line(path, default=3).lookup(tf.constant(["käse", "the", "猫"]))
    assert numbers.numpy().tolist() == [1, 3, 2]


def test_the_file_moves_with_the_saved_model(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("a\nb\n")
    module = tf.Module()
    module.table = number_by_line(path)
    module.find = tf.function(
        module.table.lookup, input_signature=[tf.TensorSpec([None], "string")]
    )
    tf.saved_model.save(module, str(tmp_path / "model"))
    path.unlink()
    (tmp_path / "model").rename(tmp_path / "elsewhere")
    loaded = tf.saved_model.load(str(tmp_path / "elsewhere"))
    assert loaded.find(tf.constant(["b", "c"])).numpy().tolist() == [1, -1]
