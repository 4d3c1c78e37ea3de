"""The settings of a run counted out in optimizer steps."""

from __future__ import annotations

from dataclasses import dataclass

from dlcourse.config.settings import Settings
from dlcourse.errors import ConfigError
from dlcourse.lengths import Clock


@dataclass(frozen=True)
class Plan:
    """How long to train and what is due when, in optimizer steps; minutes where the name says so."""

    clock: Clock
    settings: Settings
    validate_every: int
    freeze: tuple[tuple[str, int], ...]
    """The names of `settings.freeze`, and after how many steps they stay."""

    @classmethod
    def make(cls, settings: Settings, *, steps_per_epoch: int) -> Plan:
        """Count out `settings` for a train split of `steps_per_epoch` steps an epoch.

        Raises:
            ConfigError: the run would have no step.
        """
        steps = settings.max_steps if settings.max_steps is not None else round(settings.epochs * steps_per_epoch)
        if steps < 1:
            raise ConfigError(f"epochs: {settings.epochs} epochs of {steps_per_epoch} steps are no step at all")
        clock = Clock(steps=steps, steps_per_epoch=steps_per_epoch)
        pairs = (one.rpartition("@") for one in settings.freeze)
        return cls(
            clock=clock,
            settings=settings,
            validate_every=max(1, clock.count(settings.validate_every)),
            freeze=tuple((name, clock.count(length)) for name, _, length in pairs),
        )

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.clock.steps

    def place(self, step: int) -> tuple[int, int]:
        """The epoch (from 0) that optimizer step `step` (from 0) falls in, and its number there."""
        return divmod(step, self.clock.steps_per_epoch)

    def position(self, step: int) -> dict[str, int]:
        """Epoch and batch after `step` steps, as a checkpoint names them."""
        epoch, batch = self.place(step)
        return {"epoch": epoch, "batch": batch}

    def epoch(self, step: int) -> float:
        """How many epochs `step` steps are."""
        return round(step / self.clock.steps_per_epoch, 4)

    def frozen(self, step: int) -> tuple[str, ...]:
        """The names of the weights that optimizer step `step` (from 0) leaves as they are."""
        return tuple(name for name, steps in self.freeze if step >= steps)

    def is_validation_due(self, step: int) -> bool:
        """Whether to validate when `step` steps are done: at its interval, and at the end."""
        return step % self.validate_every == 0 or step == self.steps

    def is_stop_due(self, step: int) -> bool:
        """Whether `stop_at` asks to stop when `step` steps are done."""
        length = self.settings.stop_at
        return length is not None and step >= self.clock.count(length)

    def is_record_due(self, step: int) -> bool:
        """Whether training numbers are due when `step` steps are done."""
        return step % self.settings.log_every == 0 or step == self.steps

    def is_checkpoint_due(self, step: int) -> bool:
        """Whether `checkpoint.every_steps` asks for a checkpoint when `step` steps are done."""
        every = self.settings.checkpoint.every_steps
        return every is not None and step % every == 0
