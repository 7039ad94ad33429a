"""Checks network files in a process that has NumPy and their runtime, and nothing else.

`verification.py` runs this file as a script, `python -P -E verify_network.py JOBS ANSWER`, so it
must not import anything of kerasuite. JOBS is a JSON list with, for each file, its path, the
tolerance, cases of inputs and the outputs that the live model gave for them, and the modules of
kerasuite that a .keras file needs, with the folder that they lie in; arrays are .npy files in
base64. ANSWER becomes a JSON list of problems, one sentence each.
"""

import base64
import importlib
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
    if job["modules"]:
        sys.path.insert(0, job["root"])
    for module in job["modules"]:
        importlib.import_module(module)
    run = LOADERS[job["file"].rpartition(".")[2]](job["file"])
    problems = []
    for case in job["cases"]:
        inputs = {name: decode(text) for name, text in case["inputs"].items()}
        outputs = run(inputs)
        if set(outputs) != set(case["expected"]):
            return [f"its outputs are {sorted(outputs)}, not {sorted(case['expected'])}"]
        for name, text in case["expected"].items():
            problem = problem_of(decode(text), outputs[name], job["tolerance"])
            if problem:
                problems.append(f"{_shapes(inputs)}: output '{name}' {problem}")
    return problems


def _shapes(inputs: dict) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in inputs.items())


def renamed(inputs: dict, names: list[str]) -> dict:
    """Inputs by the names that a file has for them: with a prefix, or any name for the only one."""
    if len(names) == 1:
        return {names[0]: next(iter(inputs.values()))}
    return {next(name for name in names if key in name): inputs[key] for key in inputs}


def load_onnx(file: str):
    """The network of an ONNX file as a function of inputs to outputs by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = [each.name for each in session.get_inputs()]
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, renamed(inputs, given)), strict=True))


def load_litert(file: str):
    """The same of a LiteRT file."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(file).get_signature_runner()
    given = list(run.get_input_details())
    return lambda inputs: run(**renamed(inputs, given))


def load_keras(file: str):
    """The same of a Keras file."""
    import keras

    model = keras.saving.load_model(file, compile=False)

    def run(inputs):
        outputs = model(next(iter(inputs.values())) if len(inputs) == 1 else inputs, training=False)
        outputs = outputs if isinstance(outputs, dict) else {"output_0": outputs}
        return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}

    return run


LOADERS = {"onnx": load_onnx, "tflite": load_litert, "keras": load_keras}


def main(jobs_file: str, answer_file: str) -> None:
    with open(jobs_file, encoding="utf-8") as file:
        jobs = json.load(file)
    problems = [problem for job in jobs for problem in problems_of(job)]
    with open(answer_file, "w", encoding="utf-8") as file:
        json.dump(problems, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
