"""Following a training and stopping it: events for those who watch, a stop file or a signal for those who end it.

The events are described in Documentation/training.md.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Checkpoint

from ACNetLib.commands.parser import ENDED_AT_ONCE

from .checkpoints import LAST_CHECKPOINT, KeepCheckpoints
from .precision import PrecisionChoice

Event = Mapping[str, Any]
SIGNALS = (signal.SIGINT, signal.SIGTERM)
RECENT_STEPS = 50
"""How many steps the time left is estimated from."""


class TrainingStopped(Exception):
    """A training ended because it was asked to; it can be resumed. epoch, step: the last ones done, from 1."""

    def __init__(self, epoch: int, step: int, steps_per_epoch: int) -> None:
        super().__init__(f"Stopped after step {step} of {steps_per_epoch} in epoch {epoch}.")
        self.epoch = epoch
        self.step = step


class StopSignals:
    """Whether Ctrl-C or SIGTERM has asked a training to stop after its step; a second one ends the process at once."""

    def __init__(self) -> None:
        self._received = False

    def __call__(self) -> bool:
        return self._received

    @contextmanager
    def listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():  # no other gets signals
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self.listen()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def listen(self) -> None:
        """Also once more, when another library has put its own handler in the place."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, self._receive)

    def _receive(self, _number: int, _frame: object) -> None:
        if self._received:
            sys.exit(ENDED_AT_ONCE)
        self._received = True
        if multiprocessing.parent_process() is None:
            print("Stopping after this step; once more (Ctrl-C or SIGTERM) ends at once.", file=sys.stderr, flush=True)


def print_json_line(event: Event) -> None:
    print(json.dumps(event), flush=True)


def print_ends(event: Event) -> None:
    """One line where a training begins, to standard error, and one where it was stopped."""
    match event:
        case {"event": "start", "precision": precision, "reason": reason}:
            print(f"Training in {precision}: {reason}.", file=sys.stderr, flush=True)
        case {"event": "stopped", "message": message}:
            print(message, flush=True)


def _report_nothing(_event: Event) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Watch:
    """bar: draw a progress bar. report: gets every event. stop: asked after every step."""

    bar: bool = False
    report: Callable[[Event], None] = _report_nothing
    stop: Callable[[], bool] = _never


UNWATCHED = Watch()


class Watcher(Checkpoint):
    """Reports on a training to its Watch, and stops it at its wish.

    A kind of Checkpoint, for Lightning calls these last: a step or epoch is reported when its checkpoint is written.
    """

    def __init__(
        self, watch: Watch, signals: StopSignals, work_folder: Path, kept: KeepCheckpoints, precision: PrecisionChoice
    ) -> None:
        self._watch = watch
        self._signals = signals
        self._work_folder = work_folder
        self._kept = kept
        self._precision = precision
        self._step_seconds: deque[float] = deque(maxlen=RECENT_STEPS)
        self._validation_seconds = 0.0
        self._since = 0.0

    def _asked_to_stop(self) -> bool:
        return self._signals() or self._watch.stop()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        # Lightning (2.6, SIGTERMException) would end the process with exit code 0 and without a checkpoint.
        self._signals.listen()
        epoch, step = divmod(trainer.global_step, trainer.num_training_batches)
        self._watch.report(
            {
                "event": "start",
                "epochs": trainer.max_epochs,
                "steps_per_epoch": trainer.num_training_batches,
                "epochs_done": epoch,
                "steps_done": step,
                "precision": self._precision.precision,
                "reason": self._precision.reason,
            }
        )
        if not trainer.should_stop and self._asked_to_stop():
            raise TrainingStopped(epoch + 1, step, trainer.num_training_batches)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        # Not reset after the step: reading the batch, too, takes time.
        self._since = self._since or time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        now = time.perf_counter()
        self._step_seconds.append(now - self._since)
        self._since = now
        losses = {"training_loss": float(outputs["loss"])}
        losses.update({name: float(value) for name, value in outputs.items() if name != "loss"})
        self._watch.report(
            {
                "event": "step",
                "epoch": trainer.current_epoch + 1,
                "step": batch_idx + 1,
                "losses": losses,
                "learning_rate": pl_module.learning_rate(trainer.global_step - 1),
                "seconds_left": self._seconds_left(trainer),
            }
        )
        is_last = batch_idx + 1 == trainer.num_training_batches  # the epoch's own checkpoint follows soon
        if not is_last and self._asked_to_stop():
            trainer.save_checkpoint(self._work_folder / LAST_CHECKPOINT)
            raise TrainingStopped(trainer.current_epoch + 1, batch_idx + 1, trainer.num_training_batches)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        now = time.perf_counter()
        self._validation_seconds = now - self._since
        self._since = now
        values = {name: float(trainer.callback_metrics[name]) for name in ("validation_loss", *pl_module.metrics)}
        self._watch.report(
            {
                "event": "epoch",
                "epoch": trainer.current_epoch + 1,
                "losses": {
                    "training_loss": pl_module.mean_training_loss,
                    "validation_loss": values.pop("validation_loss"),
                },
                "metrics": values,
                "best_epoch": self._kept.best_epoch,
                "seconds_left": self._seconds_left(trainer),
            }
        )
        is_last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if not is_last and self._asked_to_stop():
            steps = trainer.num_training_batches
            raise TrainingStopped(trainer.current_epoch + 1, steps, steps)

    def _seconds_left(self, trainer: Any) -> float:
        """Of all epochs, though early stopping may end them before; without the validations until the first is done."""
        steps = trainer.max_epochs * trainer.num_training_batches - trainer.global_step
        validations = -(-steps // trainer.num_training_batches)
        step_seconds = sum(self._step_seconds) / len(self._step_seconds) if self._step_seconds else 0.0
        return round(steps * step_seconds + validations * self._validation_seconds, 1)
