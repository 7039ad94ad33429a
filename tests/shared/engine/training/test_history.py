"""The scalars that are written without TensorBoard are those that it writes and reads."""

import sys

import tensorflow as tf

from shared.engine.training.history import TensorBoard


def scalars_of(folder):
    """The events of a folder but for their wall times."""
    (path,) = folder.iterdir()
    events = []
    for record in tf.data.TFRecordDataset(str(path)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        if event.HasField("summary"):
            events.append((event.step, event.summary.SerializeToString(deterministic=True)))
    return events


def test_scalars_as_tensorboard_writes_and_reads_them(tmp_path, monkeypatch):
    rows = [{"epoch": n, "step": 10 * n, "loss": 0.1 / n} for n in (1, 2)]
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "tensorboard", None)
        board = TensorBoard(tmp_path / "ours")
        for row in rows:
            board.write(row, {"rate": 3})
    with tf.summary.create_file_writer(str(tmp_path / "theirs")).as_default():
        for row in rows:
            tf.summary.scalar("loss", row["loss"], step=row["step"])
            tf.summary.scalar("rate", 3, step=row["step"])
    assert scalars_of(tmp_path / "ours") == scalars_of(tmp_path / "theirs") != []

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "ours")).Reload()
    found = [(e.step, tf.make_ndarray(e.tensor_proto)) for e in events.Tensors("loss")]
    assert found == [(10, tf.constant(0.1)), (20, tf.constant(0.05))]
