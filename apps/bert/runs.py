"""Which application a run folder or a SavedModel of `kerasuite bert` belongs to."""

from pathlib import Path

from shared.common.config import read_yaml
from shared.common.errors import KerasuiteError

# Where a SavedModel has the configuration of its run.
EXPORTED = "assets.extra/config.yaml"
# Task, as `config.yaml` names it, to the place of its App.
APPS = {
    "bert-finetune": "apps.bert.finetuning.app:FinetuneApp",
    "bert-pretrain": "apps.bert.pretraining.app:PretrainApp",
    "bert-distill": "apps.bert.distillation.app:DistillApp",
    "bert-distill-general": "apps.bert.distillation.general.app:GeneralDistillApp",
}


def app_of(folder: Path, wanted: tuple[str, ...] = ()) -> str:
    """The place of the App that made a folder.

    Args:
        folder: a run folder or a SavedModel.
        wanted: the tasks that will do; by default all.

    Raises:
        KerasuiteError: if it is neither, or of another task.
    """
    versions = sorted(folder.glob(f"*/{EXPORTED}"))
    for place in (folder / "config.yaml", folder / EXPORTED, *versions[-1:]):
        if place.is_file():
            task = read_yaml(place).get("task")
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
