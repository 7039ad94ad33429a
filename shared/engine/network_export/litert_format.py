"""LiteRT (formerly TensorFlow Lite): written by Keras, computed by ai-edge-litert."""

import os
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.common.packages import require_package
from shared.engine.network_export.network_format import Inputs, Network, NetworkFormat, Specs
from shared.engine.saved_model.loaded_model import one_line

MEND = "`pip install 'kerasuite[litert]'`"

# The converter's list of operations that only TensorFlow or nobody has.
_MISSING = re.compile(r"(?:TF Select|Custom) ops: (.+)")

USAGE = """\
```python
from ai_edge_litert.interpreter import Interpreter

network = Interpreter({file!r}).get_signature_runner()
outputs = network({arguments})
```"""


class LiteRtFormat(NetworkFormat):
    """[LiteRT](https://ai.google.dev/edge/litert), with the operations of its own runtime only."""

    name = "litert"
    suffix = "tflite"
    usage = USAGE

    def require(self) -> None:
        require_package("ai_edge_litert.interpreter", "--format litert", MEND)

    def write(
        self, model: keras.Model, specs: Specs, file: Path, calibration: Inputs | None = None
    ) -> None:
        # TensorFlow's operations ("select") are in no runtime on a phone: a network that needs
        # them is refused by the converter.
        options: dict[str, Any] = {
            "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
        }
        if calibration is not None:
            options = {
                "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
                "optimizations": [tf.lite.Optimize.DEFAULT],
                "representative_dataset": lambda: calibration,
            }
        signature = [next(iter(specs.values())) if len(specs) == 1 else specs]
        model.export(
            str(file), format="litert", verbose=False, input_signature=signature, **options
        )

    def reason(self, error: Exception) -> str:
        missing = sorted(set(_MISSING.findall(str(error))))
        if not missing:
            return super().reason(error)
        return f"LiteRT lacks operations of it: {', '.join(missing)}"

    def load(self, file: Path) -> Network:
        run = _runner(file)
        names = list(run.get_input_details())

        def call(inputs: dict[str, np.ndarray]) -> Any:
            outputs = run(**{self.name_in(names, key): inputs[key] for key in inputs})
            return next(iter(outputs.values())) if len(outputs) == 1 else outputs

        return call

    def outputs(self, file: Path) -> dict[str, list[int | None]]:
        return {
            name: [None if side == -1 else int(side) for side in details["shape_signature"]]
            for name, details in _runner(file).get_output_details().items()
        }


def _runner(file: Path) -> Any:
    runtime = require_package("ai_edge_litert.interpreter", str(file), MEND)
    try:
        interpreter = runtime.Interpreter(str(file), num_threads=os.cpu_count())
        return interpreter.get_signature_runner()
    except (ValueError, RuntimeError) as error:
        raise KerasuiteError(f"{file} cannot be loaded: {one_line(error)}") from error
