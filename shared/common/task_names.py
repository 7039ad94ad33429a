"""Names of tasks as commands: a group of commands may hold several tasks."""


def command_group(task: str) -> str:
    """The group of commands that a task belongs to.

    >>> command_group("classify"), command_group("bert-distill")
    ('classify', 'bert')
    """
    return task.partition("-")[0]


def training_command(task: str) -> str:
    """The command that trains a task.

    >>> training_command("classify"), training_command("bert-distill")
    ('kerasuite classify train', 'kerasuite bert distill')
    """
    group, _, verb = task.partition("-")
    return f"kerasuite {group} {verb or 'train'}"
