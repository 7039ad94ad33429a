"""The contract between the engine and an application.

An application is one trainable task. It says what its data, model, metrics and serving
functions are; everything else - loop, checkpoints, history, export, batch inference - is the
engine's and exists once.

Batches are `(x, y, sample_weight)` tuples as in Keras; `y` and `sample_weight` may be left
out. The model that `build` returns is compiled and is asked for, at most:

    model(x, training=...)                                  the forward pass
    model.compute_loss(x, y, y_pred, sample_weight, training)
        the mean over the items of this batch, as in Keras, or a dict of named terms whose
        sum it is (each term is then shown and recorded)
    model.loss_weight(x, y, sample_weight)                  optional; the number of items that
        the mean is over, by default the number of examples; translation gives its tokens
    model.predictions(x, y_pred)                            optional; what the evaluator gets
        instead of the outputs, made in the graph (detections for logits)
    model.batch_metrics(x, y, y_pred, sample_weight)        optional; dict of means to show
    model.replica_step(batch)                               optional; replaces the whole step
        (word vectors and GANs only) and returns {name: (sum, weight)}
    model.optimizers, model.variables_of(name)              optional; several optimisers by name
        and what each trains (GANs); see `train_step.prepare_optimizer`
    model.averaged_weights()                                optional; what `--ema` averages
    model.training_state()                                  optional; objects with `variables`
        that checkpoints hold and exports do not (an image pool)
GANs have all of these from `shared.engine.training.gan_model.GANModel`.
"""

import abc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from shared.common.config import RunConfig
    from shared.engine.prediction.predictor import Predictor
    from shared.engine.run import Run


class Evaluator(abc.ABC):
    """Collects model outputs of a data set and turns them into metrics.

    Class attributes:
        uses_inputs: whether `update` needs x; otherwise it is None there, and is not sent from
            worker to worker.
    """

    uses_inputs: ClassVar[bool] = False

    @abc.abstractmethod
    def update(self, batch: Any, outputs: Any) -> None:
        """Takes one batch as numpy arrays, without padding, and the model's outputs for it."""

    @abc.abstractmethod
    def result(self) -> dict[str, float]:
        """The metrics by name, plain numbers."""

    def after_epoch(self, folder: Path, epoch: int) -> None:
        """May write pictures of a validation during training into the run folder."""
        return None

    def report(self, folder: Path) -> dict[str, Any]:
        """Writes pictures and pages into `folder`; returns what metrics.json has besides."""
        return {}


class ServingModule(abc.ABC):
    """Raw input to named outputs: pre-processing, model and post-processing in one graph.

    The functions are called with keyword arguments, run eagerly as well as in a graph, and
    give the same outputs for the same inputs. Lookup tables, tokenizers and assets are listed
    in `trackables` themselves: of a Keras model only the weights are exported, and those that the
    functions use in any case.
    """

    @abc.abstractmethod
    def signatures(self) -> "dict[str, tuple[dict[str, tf.TensorSpec], Callable]]":
        """Signature name to (input name to spec, function of those inputs to a dict)."""

    @abc.abstractmethod
    def trackables(self) -> list:
        """The model, lookup tables and assets that the functions use."""

    @abc.abstractmethod
    def examples(self) -> "dict[str, dict[str, np.ndarray]]":
        """Raw inputs for each signature, used to verify the export in a fresh process."""

    def for_inference(self) -> "ServingModule":
        """The module that an export holds: the same answers, faster. This one is the truth."""
        return self

    def attributes(self) -> "dict[str, tf.Variable]":
        """Settings that the signatures read, by the names that they have on the loaded object.

        Who loads the export may assign them: `loaded.confidence.assign(0.5)`.
        """
        return {}

    def extra_assets(self) -> dict[str, str]:
        """File name to text, copied into `assets.extra/` (labels, vocabularies)."""
        return {}

    def usage(self) -> str:
        """Markdown for the model card: how the signatures are called over REST."""
        return ""


# The monitor of what no metric can choose: the model is that of the last epoch.
LAST_EPOCH = ("epoch", "max")


class App(abc.ABC):
    """One trainable task. The first line of the subclass's docstring opens its model cards.

    Class attributes:
        name: the task's name in folders and configurations.
        config_class: the configuration's dataclass.
        monitor: metric and "max" or "min": best model, early stopping, unless `--metric` says
            otherwise; or `LAST_EPOCH`.
        limits: Markdown for the model card: what the model is for, and what it is not for.
        predict_verb, predict_input: the verb of batch inference and its inputs, for the hints on
            what to type next.
        independent_rows: whether the loss of an example depends on that example alone, as it does
            not with batch normalisation; then a CPU may train two micro-batches at once.
        validation: what `metrics.json` and the closing line are measured on, in words.
        reference: first word of the metrics of a plain method that the model is compared with,
            "bicubic" of "bicubic_psnr"; the plots show them beside the model's.
    """

    name: ClassVar[str]
    config_class: "ClassVar[type[RunConfig]]"
    monitor: ClassVar[tuple[str, str]]
    limits: ClassVar[str] = ""
    predict_verb: ClassVar[str] = "predict"
    predict_input: ClassVar[str] = "INPUT..."
    independent_rows: ClassVar[bool] = False
    validation: ClassVar[str] = "the validation data"
    reference: ClassVar[str] = ""

    def monitored(self, config: "RunConfig") -> tuple[str, str]:
        """Column of the history that chooses the best model, and "max" or "min"; `--metric`."""
        if config.metric:
            return f"val_{config.metric}", config.metrics[config.metric]
        return self.monitor

    @abc.abstractmethod
    def prepare(self, run: "Run") -> None:
        """Reads the data's make-up and fills `run.artifacts`; idempotent and atomic.

        The chief calls it first; the other workers follow, and find what it wrote.

        Also called when a finished run is opened again (evaluate, export): then everything
        needed must come from `run.artifacts` and the run folder, not from the data.
        """

    @abc.abstractmethod
    def steps_per_epoch(self, run: "Run") -> int:
        """Optimiser steps in one pass over the training data, known after `prepare`."""

    @abc.abstractmethod
    def dataset(self, run: "Run", split: str, start_step: int = 0) -> "tf.data.Dataset":
        """Batches of `split`: this worker's share of them.

        "train" is one endless stream, a pure function of (seed, global step), that begins at
        `start_step` and gives this worker's rows of each global batch (see
        `stream.training_steps`). Every other split is finite and is dealt out by batches: this
        worker gets number i, i + count, ... of (i, count) = `run.worker` (see
        `stream.evaluation_examples`).

        Args:
            run: the run.
            split: "train", "validation" or another of the application's own.
            start_step: int. Global step at which "train" begins.
        """

    def batches(self, run: "Run", split: str, start_step: int = 0) -> "tf.data.Dataset":
        """Makes `dataset` without AutoGraph; the engine takes the batches from here.

        AutoGraph rewrites the source of every function that TensorFlow traces, for `if` and `for`
        on tensors; the functions of this project use `tf.cond`, `tf.while_loop` and `keras.ops`.

        Args:
            run, split, start_step: of `dataset`.
        """
        from tensorflow import autograph

        return autograph.experimental.do_not_convert(self.dataset)(run, split, start_step)

    @abc.abstractmethod
    def build(self, run: "Run") -> "keras.Model":
        """The model, compiled; called under `run.strategy.scope()`."""

    def unit(self, run: "Run") -> str:
        """The items of a step, in the plural, as the rate shows them: "1,200 words/s"."""
        return "ex"

    def items_per_step(self, run: "Run") -> float:
        """Mean number of items in a step."""
        return run.config.batch_size

    def begin_epoch(self, run: "Run", model: "keras.Model", epoch: int) -> None:
        """May change which layers are trainable; also called after a resume.

        Args:
            run: the run.
            model: its model.
            epoch: int. The epoch that begins, from 0.
        """

    def may_be_best(self, run: "Run", epoch: int) -> bool:
        """Whether the model is complete after this many epochs, and so can be the best one."""
        return True

    def calibrate(self, run: "Run", model: "keras.Model") -> None:
        """May choose what the answers of the finished, best model need besides (thresholds).

        Called before its evaluation, on every worker; what is chosen is kept in the run folder.
        """
        return None

    @abc.abstractmethod
    def evaluator(self, run: "Run") -> Evaluator:
        """A fresh evaluator for the validation data."""

    def final_split(self, run: "Run") -> str:
        """The split that `metrics.json` and its report are of, where it is not the validation."""
        return "validation"

    def evaluator_of(self, run: "Run", split: str) -> Evaluator:
        """A fresh evaluator for a split, where `final_split` is another one than the validation.

        Args:
            run: the run.
            split: "validation", or `final_split`.
        """
        return self.evaluator(run)

    def remarks(self, metrics: dict[str, Any]) -> list[str]:
        """Sentences for the model card on what the metrics say; see `Evaluator.report`."""
        return []

    @abc.abstractmethod
    def serving(self, run: "Run", model: "keras.Model") -> dict[str, ServingModule]:
        """The modules to export: usually {"": module}; CycleGAN gives "a2b" and "b2a"."""

    def network_serving(
        self, config: "RunConfig", facts: dict[str, Any], folder: Path, network: Callable
    ) -> ServingModule:
        """The `NetworkServing` around the network of an export that is no SavedModel.

        Args:
            config: of the run.
            facts: those of the module that was exported.
            folder: of the export, with its `extra_assets`.
            network: function of (images, training) to the outputs as arrays.
        """
        raise NotImplementedError(f"{self.name} has no formats beside the SavedModel")

    @property
    def predicts_networks(self) -> bool:
        """Whether batch inference takes exports of the network alone."""
        return type(self).network_serving is not App.network_serving

    @abc.abstractmethod
    def predictor(self, saved_model: Path, **options: Any) -> "Predictor":
        """The predictor of an exported model, for batch inference.

        Args:
            saved_model: its folder, or the network file of another format.
            **options: of the task.
        """

    @abc.abstractmethod
    def check(self, config: "RunConfig") -> "tuple[list[str], list[str]]":
        """Looks at the data without training: (what is in it, what is wrong with it)."""

    @abc.abstractmethod
    def replace_validation_data(self, run: "Run", data: list[str]) -> None:
        """Makes `data` the `final_split` of an opened run, for `evaluate RUN DATA`."""

    def init_weights(self, run: "Run", model: "keras.Model") -> None:
        """Starts from `config.init`, a run folder or a weights file; see `run.load_init`."""
        from shared.engine.run import load_init

        load_init(run, model)
