"""Checks network files in a process that has NumPy and their runtime, and nothing else.

`verification.py` runs this file as a script, `python -P -E verify_network.py JOBS ANSWER`, so it
must not import anything of kerasuite. JOBS is a JSON list with, for each file, its path, the
tolerance, and cases of images and the outputs that the live model gave for them; arrays are .npy
files in base64. ANSWER becomes a JSON list of problems, one sentence each.
"""

import base64
import io
import json
import sys

import numpy as np


def encode(array: np.ndarray) -> str:
    """An array as text."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return base64.b64encode(out.getvalue()).decode("ascii")


def decode(text: str) -> np.ndarray:
    """The array that `encode` wrote."""
    return np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False)


def problem_of(expected: np.ndarray, got: np.ndarray, tolerance: float) -> str:
    """Says how two outputs differ, or nothing.

    Args:
        expected: of the live model.
        got: of the file.
        tolerance: float. Largest difference, times the largest magnitude or one.
    """
    if expected.shape != got.shape:
        return f"has the shape {got.shape}, not {expected.shape}"
    largest = float(np.max(np.abs(expected - got), initial=0.0))
    allowed = tolerance * max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    # Written so that a NaN counts as a difference.
    return "" if largest <= allowed else f"differs by {largest:.3g} (allowed is {allowed:.3g})"


def problems_of(job: dict) -> list[str]:
    """Runs one file on every case."""
    run = LOADERS[job["file"].rpartition(".")[2]](job["file"])
    problems = []
    for case in job["cases"]:
        images = decode(case["images"])
        outputs = run(images)
        if set(outputs) != set(case["expected"]):
            return [f"its outputs are {sorted(outputs)}, not {sorted(case['expected'])}"]
        for name, text in case["expected"].items():
            problem = problem_of(decode(text), outputs[name], job["tolerance"])
            if problem:
                problems.append(f"images {images.shape}: output '{name}' {problem}")
    return problems


def load_onnx(file: str):
    """The network of an ONNX file as a function of images to outputs by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {image.name: images}), strict=True))


LOADERS = {"onnx": load_onnx}


def main(jobs_file: str, answer_file: str) -> None:
    with open(jobs_file, encoding="utf-8") as file:
        jobs = json.load(file)
    problems = [problem for job in jobs for problem in problems_of(job)]
    with open(answer_file, "w", encoding="utf-8") as file:
        json.dump(problems, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
