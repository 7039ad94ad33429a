"""`make bench`: speed as ratios measured in one run, printed as a table and written as JSON.

    python -m tests.bench --output bench.json [ROW...]

Absolute rates depend on the machine and on what else it does; ratios of two things measured
in turn in the same run can be compared. A row below its floor is marked and the exit code
is 1. Later applications add their rows to `ROWS`. Rows that are compared with PyTorch measure it
with the Python that KERASUITE_PYTORCH names, see `tests.bench.pytorch`.
"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shared.engine.quiet import import_tensorflow
from tests.bench import (
    bert,
    bert_folder,
    classification,
    command_line,
    cyclegan,
    detection,
    distribution,
    embeddings,
    glove,
    srgan,
    translation,
)
from tests.bench.measure import Skipped

# Row name to the function that measures it; each returns a `measure.Result`.
ROWS = {
    "help": command_line.help_time,
    "classify-predict": classification.folder_inference,
    "classify-memory": classification.memory,
    "classify-input": classification.input_pipeline,
    "skip-gram": embeddings.skip_gram,
    "cbow": embeddings.cbow,
    "embed-memory": embeddings.memory,
    "glove-counting": glove.counting,
    "glove-iteration": glove.iteration,
    "detect-latency-320": detection.latency_320,
    "detect-latency-640": detection.latency_640,
    "detect-training": detection.training,
    "detect-predict": detection.folder_inference,
    "translate-greedy": translation.greedy,
    "translate-beam": translation.beam,
    "translate-training": translation.training,
    "translate-training-bfloat16": translation.training_bfloat16,
    "bert-base": bert.inference_base,
    "bert-minilm": bert.inference_minilm,
    "bert-tinybert": bert.inference_tinybert,
    "bert-minilm-bfloat16": bert.inference_bfloat16,
    "bert-base-training": bert.training_base,
    "bert-minilm-training": bert.training_minilm,
    "bert-minilm-training-bfloat16": bert.training_bfloat16,
    "bert-tinybert-training": bert.training_tinybert,
    "bert-distilled": bert.tinybert_gain,
    "bert-folder": bert_folder.bucketing,
    "cyclegan-forward": cyclegan.generator_forward,
    "cyclegan-training": cyclegan.training_step,
    "cyclegan-step": cyclegan.whole_step,
    "srgan-forward": srgan.forward,
    "srgan-training": srgan.training,
    "srgan-memory": srgan.memory,
    "workers": distribution.scaling,
    "checkpoint": distribution.checkpoint_cost,
    "resume": distribution.resume_time,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; by default all")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    arguments = parser.parse_args()
    unknown = set(arguments.rows) - set(ROWS)
    if unknown:
        parser.error(f"unknown row {min(unknown)}; one of {', '.join(ROWS)}")
    import_tensorflow()
    results = []
    for name in arguments.rows or ROWS:
        try:
            results.append(ROWS[name]())
        except Skipped as reason:
            print(f"{name}: skipped, {reason}", flush=True)
            continue
        # A row may take minutes: nobody should lose it to the failure of a later one.
        print(f"{results[-1].name}: {results[-1].shown} ({results[-1].details})", flush=True)
    table = Table("what", "value", "floor", "details")
    for result in results:
        verdict = "" if result.holds else "  MISSED"
        table.add_row(result.name, result.shown, f"{result.bound}{verdict}", result.details)
    Console(width=140).print(table)
    arguments.output.write_text(json.dumps([vars(r) for r in results], indent=2) + "\n")
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
