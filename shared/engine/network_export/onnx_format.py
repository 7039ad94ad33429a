"""ONNX: written by Keras through tf2onnx, computed by ONNX Runtime."""

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np

from shared.common.errors import KerasuiteError
from shared.common.packages import require_package
from shared.engine.network_export.network_format import Inputs, Network, NetworkFormat, Specs
from shared.engine.saved_model.loaded_model import one_line

MEND = "`pip install 'kerasuite[onnx]'`"


USAGE = """\
```python
import onnxruntime

session = onnxruntime.InferenceSession({file!r})
names = [each.name for each in session.get_inputs()]  # {names}
outputs = session.run(None, dict(zip(names, ({arguments},), strict=True)))
```"""


class OnnxFormat(NetworkFormat):
    """[ONNX](https://onnx.ai), images in the layout (N, H, W, 3)."""

    name = suffix = "onnx"
    usage = USAGE

    def require(self) -> None:
        for module in ("onnx", "tf2onnx", "onnxruntime"):
            require_package(module, "--format onnx", MEND)

    def write(
        self, model: keras.Model, specs: Specs, file: Path, calibration: Inputs | None = None
    ) -> None:
        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        signature = [next(iter(specs.values())) if len(specs) == 1 else specs]
        model.export(str(file), format="onnx", verbose=False, input_signature=signature)

    def load(self, file: Path) -> Network:
        session = _session(file)
        given = [each.name for each in session.get_inputs()]
        names = [output.name for output in session.get_outputs()]

        def call(inputs: dict[str, np.ndarray]) -> Any:
            feed = {self.name_in(given, key): value for key, value in inputs.items()}
            outputs = session.run(names, feed)
            return outputs[0] if len(names) == 1 else dict(zip(names, outputs, strict=True))

        return call

    def outputs(self, file: Path) -> dict[str, list[int | None]]:
        return {
            output.name: [side if isinstance(side, int) else None for side in output.shape]
            for output in _session(file).get_outputs()
        }


def _session(file: Path) -> Any:
    onnxruntime = require_package("onnxruntime", str(file), MEND)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # Errors: a shape that it cannot infer is none.
    # Its threads would wait in a loop on the cores on which TensorFlow decodes the next images.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # Its exceptions have no common base.
        raise KerasuiteError(f"{file} cannot be loaded: {one_line(error)}") from error
