"""A tiny SavedModel, predictors for it, and a program that kills and measures runs.

python predict_helpers.py kill MODEL INPUT OUTPUT kills=N [key=value ...]
python predict_helpers.py memory MODEL INPUT OUTPUT limit=N [key=value ...]
"""

import dataclasses
import functools
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.engine.prediction.predictor import Predictor


def make_model(folder: Path, factor: int = 1) -> Path:
    """`data` string -> `length` int64 (times factor), `score` float32, `upper` string.

    A batch with an element that starts with "graph" fails in the graph as a whole.
    """
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="data")])
        def serve(self, data):
            bad = tf.strings.regex_full_match(data, "graph.*")
            check = tf.debugging.Assert(tf.logical_not(tf.reduce_any(bad)), ["bad content"])
            with tf.control_dependencies([check]):
                length = tf.cast(tf.strings.length(data), tf.int64) * factor
            score = tf.math.sin(tf.cast(tf.strings.to_hash_bucket_fast(data, 1000), tf.float32))
            return {"length": length, "score": score, "upper": tf.strings.upper(data)}

    model = Model()
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.serve})
    return folder


class TextPredictor(Predictor):
    """Whole files; content that starts with "host" is rejected by the reader."""

    suffixes = (".txt",)
    inputs = ("data",)
    outputs = ("length", "upper")
    delay = 0.0

    def read(self, source):
        time.sleep(self.delay)
        content = source.content if source.line else source.read_bytes()
        if content.startswith(b"host"):
            raise KerasuiteError(f"{source.path}: rejected by the reader")
        return {"data": content}

    def record(self, source, outputs):
        return {"length": outputs["length"], "upper": outputs["upper"], "score": outputs["score"]}


class BucketPredictor(TextPredictor):
    bucket = 3

    def size(self, example):
        return len(example["data"])


class FilePredictor(TextPredictor):
    def files(self, source, outputs):
        return {f"upper/{source.name}": outputs["upper"] * 500}


class LinePredictor(BucketPredictor):
    """Lines to line-aligned files, and a small file for each line."""

    def split(self, source):
        with source.open() as file:
            for number, line in enumerate(file, 1):
                content = line.rstrip(b"\n")
                if content == b"whole":
                    raise KerasuiteError(f"{source.name}: no text from line {number} on")
                yield dataclasses.replace(source, line=number, content=content)

    def count(self, source):
        with source.open() as file:
            return sum(1 for _ in file)

    def files(self, source, outputs):
        return {f"lines/{source.name}-{source.line}": outputs["upper"]}

    def finish(self, source, rows):
        return {f"{source.name}": ((r.get("upper", "") + "\n").encode() for r in rows)}


PREDICTORS = {
    "text": TextPredictor,
    "bucket": BucketPredictor,
    "file": FilePredictor,
    "line": LinePredictor,
}


def run(model, inputs, output, kind="text", delay=0.0, started=None, **options):
    """Predicts as the command does; returns the summary."""
    from shared.common.inputs import find_inputs
    from shared.engine.prediction.predict import predict

    predictor = PREDICTORS[kind]()
    predictor.delay = delay
    if started is not None:
        predictor.start = lambda model: started()
    sources = find_inputs(
        [inputs],
        predictor.suffixes,
        output=output,
        limit=options.pop("limit", None),
        shard=options.get("shard"),
    )
    return predict(model, sources, predictor, output, **options)


def _child(model, inputs, output, options):
    code = 1
    try:
        run(model, inputs, output, resume=True, progress=False, **options)
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def _kill_until_done(model, inputs, output, kills, options):
    """Forks a run (cheap: TensorFlow is imported, but not started), kills it, starts it again."""
    import tensorflow  # noqa: F401

    generator = random.Random(1)
    done_kills = 0
    while True:
        receiver, sender = os.pipe()
        child = os.fork()
        if child == 0:
            started = functools.partial(os.write, sender, b"x")
            _child(model, inputs, output, options | {"started": started})
        os.close(sender)
        os.read(receiver, 1)
        os.close(receiver)
        if done_kills < kills:
            time.sleep(generator.uniform(0, 0.25) ** 1.5)
            os.kill(child, signal.SIGKILL)
            done_kills += 1
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status >= 0:
            print(json.dumps({"status": status, "kills": done_kills}))
            return


def _peak_memory(model, inputs, output, options):
    """Runs twice, on some and on all inputs, and prints the peak memory after each."""
    import resource

    for part in (int(options.pop("limit")), None):
        run(model, inputs, f"{output}-{part}", limit=part, progress=False, **options)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main(arguments):
    mode, model, inputs, output, *rest = arguments
    options = dict(item.split("=") for item in rest)
    for name, kind in (("batch_size", int), ("delay", float)):
        if name in options:
            options[name] = kind(options[name])
    if mode == "kill":
        _kill_until_done(model, inputs, output, int(options.pop("kills")), options)
    else:
        _peak_memory(model, inputs, output, options)


if __name__ == "__main__":
    main(sys.argv[1:])
