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
from typing import Any

from tqdm import tqdm

from ACNetLib.commands.parser import ENDED_AT_ONCE

from .checkpoints import Progress
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
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._receive)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

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


class Watcher:
    """Reports on a training to its Watch, and asks whether to stop it. A step is reported when it is done, an epoch
    when its checkpoint is written."""

    def __init__(self, watch: Watch, signals: StopSignals, epochs: int, steps_per_epoch: int) -> None:
        self._watch = watch
        self._signals = signals
        self._epochs = epochs
        self._steps_per_epoch = steps_per_epoch
        self._bar = tqdm(total=epochs * steps_per_epoch, unit="step", disable=not watch.bar)
        self._step_seconds: deque[float] = deque(maxlen=RECENT_STEPS)
        self._validation_seconds = 0.0
        self._since = time.perf_counter()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.close()

    def asked_to_stop(self) -> bool:
        return self._signals() or self._watch.stop()

    def start(self, done: Progress, precision: PrecisionChoice) -> None:
        """Raises TrainingStopped when that is asked for already."""
        self._watch.report(
            {
                "event": "start",
                "epochs": self._epochs,
                "steps_per_epoch": self._steps_per_epoch,
                "epochs_done": done.epochs,
                "steps_done": done.steps,
                "precision": precision.precision,
                "reason": precision.reason,
            }
        )
        self._bar.update(self._steps_done(done))
        if self.asked_to_stop():
            raise TrainingStopped(done.epochs + 1, done.steps, self._steps_per_epoch)
        self._since = time.perf_counter()

    def step(self, done: Progress, losses: Mapping[str, float], learning_rate: float) -> None:
        self._step_seconds.append(self._lap())
        self._bar.update()
        self._watch.report(
            {
                "event": "step",
                "epoch": done.epochs + 1,
                "step": done.steps,
                "losses": {"training_loss" if name == "loss" else name: value for name, value in losses.items()},
                "learning_rate": learning_rate,
                "seconds_left": self._seconds_left(done),
            }
        )

    def epoch(self, done: Progress, values: Mapping[str, float]) -> None:
        """values: both losses and the metrics of the epoch."""
        self._validation_seconds = self._lap()
        self._bar.set_postfix(values)
        losses = {name: values[name] for name in ("training_loss", "validation_loss")}
        self._watch.report(
            {
                "event": "epoch",
                "epoch": done.epochs,
                "losses": losses,
                "metrics": {name: value for name, value in values.items() if name not in losses},
                "best_epoch": done.best_epoch,
                "seconds_left": self._seconds_left(done),
            }
        )

    def _lap(self) -> float:
        """Seconds since the last step or epoch: reading the batch, too, takes time."""
        before, self._since = self._since, time.perf_counter()
        return self._since - before

    def _steps_done(self, done: Progress) -> int:
        return done.epochs * self._steps_per_epoch + done.steps

    def _seconds_left(self, done: Progress) -> float:
        """Of all epochs, though early stopping may end them before; without the validations until the first is done."""
        steps = self._epochs * self._steps_per_epoch - self._steps_done(done)
        validations = -(-steps // self._steps_per_epoch)
        step_seconds = sum(self._step_seconds) / len(self._step_seconds) if self._step_seconds else 0.0
        return round(steps * step_seconds + validations * self._validation_seconds, 1)
