"""The applications of the run folders and SavedModels of `kerasuite bert`."""

from pathlib import Path

from shared.common.config import read_yaml
from shared.common.errors import KerasuiteError

# Path of the run's configuration in a SavedModel.
EXPORTED_CONFIG = "assets.extra/config.yaml"
# Import path of the application of each task, by its name in `config.yaml`.
APPS = {
    "bert-finetune": "apps.bert.finetuning.app:FinetuneApp",
    "bert-pretrain": "apps.bert.pretraining.app:PretrainApp",
    "bert-distill": "apps.bert.distillation.app:DistillApp",
    "bert-distill-general": "apps.bert.distillation.general.app:GeneralDistillApp",
}


def app_of(folder: Path, wanted: tuple[str, ...] = ()) -> str:
    """The import path of the application that wrote a folder.

    Args:
        folder: a run folder or a SavedModel.
        wanted: the accepted tasks; by default all.

    Raises:
        KerasuiteError: if it is neither, or of another task.
    """
    versions = sorted(folder.glob(f"*/{EXPORTED_CONFIG}"))
    for path in (folder / "config.yaml", folder / EXPORTED_CONFIG, *versions[-1:]):
        if path.is_file():
            task = read_yaml(path).get("task")
            break
    else:
        raise KerasuiteError(
            f"{folder}: is neither a run folder nor a SavedModel (no config.yaml in it)"
        )
    if task not in APPS:
        raise KerasuiteError(f"{folder}: is of the task '{task}'; use 'kerasuite {task}'")
    if wanted and task not in wanted:
        raise KerasuiteError(
            f"{folder}: is of 'kerasuite bert {task.removeprefix('bert-')}', which cannot do this; "
            f"give one of {', '.join(name.removeprefix('bert-') for name in wanted)}"
        )
    return APPS[task]
