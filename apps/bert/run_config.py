"""Configuration that all trainings of BERT share."""

from pathlib import Path

from shared.common.config import RunConfig, config_class
from shared.common.errors import KerasuiteError


@config_class
class BertRunConfig(RunConfig):
    """A run whose `--init` may also name an encoder."""

    def refuse_missing_init(self) -> None:
        named = self.init == "minilm" or self.init.startswith("hf:")
        if self.init and not named and not Path(self.init).exists():
            raise KerasuiteError(
                f"--init {self.init}: no such folder; give a run folder, minilm, hf:ORG/NAME or "
                f"a checkpoint's folder"
            )
