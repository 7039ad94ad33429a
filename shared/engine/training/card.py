"""Model cards: what a model is, how good it is and how to go on with it, in Markdown."""

import html
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shared.common import config as configs
from shared.common.config import RunConfig
from shared.common.environment import PACKAGES, installed_version
from shared.common.files import plain, printable, write_text
from shared.engine.app import LAST_EPOCH, App, ServingModule
from shared.engine.run import Run
from shared.engine.saved_model.rest_request import request_body
from shared.engine.saved_model.saved_models import EXTRA
from shared.engine.training.next_steps import name_of, next_commands, typed, usual_target

if TYPE_CHECKING:
    import tensorflow as tf

LIMITS = """\
The figures above hold for data like the validation data of this run; on other data they must
be measured again (`evaluate`). The model repeats the gaps and biases of its training data. Do
not let it alone decide anything that concerns people."""
SHOWN_ITEMS = 12


def write_card(
    app: App,
    run: Run,
    metrics: Mapping[str, Any],
    modules: Mapping[str, ServingModule] | None = None,
    folder: Path | None = None,
) -> None:
    """Writes the run folder's README.md.

    Args:
        app: the application.
        run: the finished run.
        metrics: the final evaluation; nested values and lists are left out.
        modules: what `app.serving` gives, if at hand; adds the signatures.
        folder: where to write, by default the run folder.
    """
    folder = folder or run.folder
    plots = [f"plots/{path.name}" for path in sorted((folder / "plots").glob("*.png"))]
    write_text(folder / "README.md", card_text(app, run, metrics, modules, plots))


def card_text(
    app: App,
    run: Run,
    metrics: Mapping[str, Any],
    modules: Mapping[str, ServingModule] | None = None,
    plots: Sequence[str] = (),
    targets: Mapping[str, Path] | None = None,
    usage: str = "",
) -> str:
    """The model card as Markdown.

    Args:
        app: the application.
        run: the run.
        metrics: the final evaluation; nested values and lists are left out.
        modules: what `app.serving` gives, if at hand; adds the signatures.
        plots: links to pictures, relative to where the card will lie.
        targets: the version folders of the SavedModels by the keys of `modules`; by default
            where `kerasuite export` puts the first version.
        usage: the section on how to call an export that is no SavedModel.
    """
    name = name_of(run)
    modules = modules or {}
    if targets is None:
        targets = {key: usual_target(app, name, key) for key in modules or [""]}
    saved_model = next(iter(targets.values()))
    parts = [
        f"# {name} ({app.name})",
        _description(app),
        _data(run),
        _configuration(run),
        _metrics(app, run.config, metrics),
        "\n".join(f"![{Path(plot).stem.replace('_', ' ')}]({plot})" for plot in plots),
        _next_steps(app, run, saved_model),
        usage or _saved_model(saved_model, modules),
        f"## Limits and intended use\n\n{getattr(app, 'limits', '') or LIMITS}",
        f"## Versions\n\n{_table(('package', 'version'), _versions())}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _description(app: App) -> str:
    lines = (type(app).__doc__ or "").strip().splitlines()
    return lines[0] if lines else f"A model of the kerasuite task `{app.name}`."


def _data(run: Run) -> str:
    rows = [("training data", ", ".join(run.config.data) or "not recorded")]
    rows += [(key.replace("_", " "), _shown(value)) for key, value in run.artifacts.items()]
    return f"## Data\n\n{_table(('what', 'value'), rows)}"


def _shown(value: Any, depth: int = 0) -> str:
    """A value of any size in one table cell: long lists by their length and beginning.

    Lists of a list of lists are only counted, as nobody reads three levels of brackets.
    """
    if depth and isinstance(value, (list, tuple)) and _is_nested(value):
        return f"{len(value):,} lists"
    if isinstance(value, Mapping):
        items = [f"{key}: {_shown(item)}" for key, item in list(value.items())[:SHOWN_ITEMS]]
    elif isinstance(value, (list, tuple)):
        items = [_shown(item, depth + 1) for item in value[:SHOWN_ITEMS]]
    else:
        return _number(value) if isinstance(value, (int, float)) else str(value)[:200]
    more = ", …" if len(value) > SHOWN_ITEMS else ""
    return f"{len(value):,} ({', '.join(items)}{more})"[:600] if value else "none"


def _is_nested(value: Sequence[Any]) -> bool:
    return any(isinstance(item, (list, tuple)) for item in value)


def _configuration(run: Run) -> str:
    config_type = type(run.config)
    defaults = {path: default for path, _, _, _, default in configs.leaves(config_type)}
    changed = []
    for path, default in defaults.items():
        value = run.config
        for part in path.split("."):
            value = getattr(value, part)
        if value != default and path not in ("data", "name"):
            changed.append((f"`{path}`", _shown(value)))
    first = [
        (f"`{path}`", _shown(getattr(run.config, path)))
        for path in ("epochs", "batch_size", "learning_rate", "seed", "precision")
        if f"`{path}`" not in dict(changed)
    ]
    return (
        "## Configuration\n\nValues that differ from the defaults, and the usual ones; all of "
        f"them are in `config.yaml`.\n\n{_table(('option', 'value'), first + changed)}"
    )


def _metrics(app: App, config: RunConfig, metrics: Mapping[str, Any]) -> str:
    rows = [(key, _number(value)) for key, value in metrics.items() if _is_number(value)]
    if not rows:
        return f"## Metrics\n\nNo figures on {app.validation}."
    monitored, mode = app.monitored(config)
    kept = f"with the {'highest' if mode == 'max' else 'lowest'} `{monitored}`"
    if (monitored, mode) == LAST_EPOCH:
        kept = "of the last epoch"
    table = _table(("metric", "value"), rows)
    remarks = "\n".join(f"- {printable(line)}" for line in app.remarks(dict(metrics)))
    parts = (
        "## Metrics",
        f"On {app.validation}.",
        table,
        remarks,
        f"The model is the one {kept}.",
    )
    return "\n\n".join(part for part in parts if part)


def _is_number(value: Any) -> bool:
    value = plain(value) if hasattr(value, "tolist") else value
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> str:
    value = plain(value) if hasattr(value, "tolist") else value
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _next_steps(app: App, run: Run, saved_model: Path) -> str:
    steps = next_commands(app, run, saved_model)
    return "\n".join(["## How to go on\n", "```sh", *steps, "```"])


def _saved_model(folder: Path, modules: Mapping[str, ServingModule]) -> str:
    version, base, name = typed(folder), typed(folder.parent), folder.parent.name
    blocks = [
        "## SavedModel",
        "\n\n".join(_signatures(module) for module in modules.values()),
        f"""\
The SavedModel is in `{base}/<version>/`, the layout of TensorFlow Serving. It takes raw
input and needs TensorFlow (with `tensorflow_text` if it tokenizes text), but none of this
project's code:

```sh
saved_model_cli show --dir {version} --all
tensorflow_model_server --rest_api_port=8501 \\
  --model_name={shlex.quote(name)} --model_base_path="$(realpath {base})"
curl -X POST http://localhost:8501/v1/models/{quote(name)}:predict \\
  -d @{typed(folder / EXTRA / "request.json")}
```""",
        "\n\n".join(_usage(module) for module in modules.values()),
        f"""\
```python
import tensorflow as tf
# import tensorflow_text  # if it tokenizes text

loaded = tf.saved_model.load({str(folder)!r})  # hold it: it owns the variables
outputs = loaded.signatures["serving_default"](...)
```""",
    ]
    return "\n\n".join(block for block in blocks if block)


def _signatures(module: ServingModule) -> str:
    rows = [
        (f"`{name}`", f"`{key}`", spec.dtype.name, str(list(spec.shape)).replace("None", "N"))
        for name, (specs, _) in module.signatures().items()
        for key, spec in specs.items()
    ]
    return _table(("signature", "input", "type", "shape"), rows)


def _usage(module: ServingModule) -> str:
    return module.usage() or f"A request is of this form:\n\n```json\n{_request(module)}\n```"


def _request(module: ServingModule) -> str:
    specs, _ = module.signatures()["serving_default"]
    return request_body(specs, {key: _placeholder(key, spec) for key, spec in specs.items()})


def _placeholder(name: str, spec: "tf.TensorSpec") -> Any:
    if spec.dtype.name != "string":
        return 1 if spec.dtype.is_integer else 0.5
    # TensorFlow Serving decodes base64 for names that end so.
    return {"b64": "..."} if name.endswith("_bytes") else "..."


def _versions() -> list[tuple[str, str]]:
    installed = [(package, installed_version(package)) for package in PACKAGES]
    return [("python", platform.python_version()), *installed]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    """A text in which neither HTML nor the links and pictures of Markdown work."""
    text = html.escape(printable(str(text).replace("\n", " ")), quote=False)
    return text.replace("|", "\\|").replace("](", "]\\(")
