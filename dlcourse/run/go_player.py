"""A trained policy network as a player of Go, read back from its run without its data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlcourse.data.go_planes import RECENT, Planes, Positions, encode
from dlcourse.errors import ConfigError, RunError
from dlcourse.folders import RunFolder
from dlcourse.go.board import Board
from dlcourse.go.player import RESIGN, Player, RandomPlayer, hopeless, lead, may_stop, sensible_points
from dlcourse.go.points import opponent, pass_point
from dlcourse.run.parts import Network
from dlcourse.run.reopened import reopen
from dlcourse.tasks.move_prediction import averaged, log_probabilities

RANDOM = "random"
"""The word for a player of random moves, where that of a run could stand."""
NOTHING = -1
"""Stands for a point where there was no move, or no ko."""


@runtime_checkable
class OfGames(Protocol):
    """A data set that says what its networks see."""

    planes: Planes


@dataclass(frozen=True)
class Wishes:
    """How a player is to play.

    Args:
        temperature: 0 plays the most probable move; 1 draws as often as the policy says, less sharpens it.
        seed: of the draws.
        resign: whether it may give up.
        device: another device than the run's, or None.
        allow_code: whether modules of the folder where the command runs may be called.
    """

    temperature: float = 0.0
    seed: int = 0
    resign: bool = False
    device: str | None = None
    allow_code: bool = False


@dataclass(frozen=True)
class Policy:
    """A network that says of every move how probable it is.

    Args:
        folder: of its run.
        parts: what it was read back with.
        model: planes [B, C, S, S] -> logits [B, S * S + 1].
        planes: what it sees of a position.
        size: lines of its board.
    """

    folder: RunFolder
    parts: Network
    model: nn.Module
    planes: Planes
    size: int

    @property
    def name(self) -> str:
        """<model>-<data>/<time>."""
        return f"{self.folder.path.parent.name}/{self.folder.path.name}"

    def probabilities(self, board: Board, colour: int) -> NDArray[np.float64]:
        """Of every move, the pass last, float64 [S * S + 1] that sum to 1; illegal ones have none.

        They are the mean over the board's eight symmetries.

        Raises:
            RunError: the network gives something that is no number.
        """
        positions = Positions(*(part.to(self.parts.runtime.place) for part in positions_of(board, colour)))
        self.model.eval()
        with torch.no_grad(), self.parts.runtime.autocast():
            seen = encode(positions, size=self.size, planes=self.planes)
            found = averaged(log_probabilities(self.model, seen))[0].double().exp().cpu().numpy()
        if not np.isfinite(found).all():
            raise RunError(f"{self.folder.path}: the model gives no numbers but nan; its training diverged")
        legal = board.legal_mask(colour)
        # A network that is sure of illegal moves may leave nothing for the others.
        chances = np.where(legal, found, 0.0) if found[legal].sum() > 0 else legal.astype(np.float64)
        return chances / chances.sum()


class PolicyPlayer:
    """Plays what a policy finds most probable, or draws from it.

    It never fills its own eyes. It passes when nothing else is left, when the opponent has just passed and counting
    now would win the game, and when a pass is the best move and the count is won; a lost game is played on, so dead
    stones are captured rather than left to an argument. It resigns only if it may, late and far behind.

    Args:
        policy: says how probable each move is.
        wishes: how to play.

    Raises:
        ValueError: the temperature is negative or no number.
    """

    def __init__(self, policy: Policy, wishes: Wishes = Wishes()) -> None:
        if not 0 <= wishes.temperature < float("inf"):
            raise ValueError(f"temperature must be 0 or more, not {wishes.temperature}")
        self.policy = policy
        self.wishes = wishes
        self._generator = torch.Generator().manual_seed(wishes.seed)

    @property
    def name(self) -> str:
        """The run's."""
        return self.policy.name

    @property
    def size(self) -> int:
        """Lines of the board that the network knows."""
        return self.policy.size

    def probabilities(self, board: Board, colour: int) -> NDArray[np.float64]:
        """As `Adviser` has it: the policy's."""
        return self.policy.probabilities(board, colour)

    def choose(self, board: Board, colour: int, *, komi: float, cleanup: bool = False) -> int:
        """As `Player` has it."""
        if self.wishes.resign and not cleanup and hopeless(board, colour, komi=komi):
            return RESIGN
        points = sensible_points(board, colour)
        if not len(points) or may_stop(board, colour, komi=komi):
            return pass_point(board.size)
        chances = self.probabilities(board, colour)
        if chances[-1] >= chances[points].max() and lead(board, colour, komi=komi) > 0:
            return pass_point(board.size)
        return int(points[self._pick(chances[points])])

    def _pick(self, chances: NDArray[np.float64]) -> int:
        """The place of the largest, or one that is drawn."""
        if not self.wishes.temperature:
            return int(chances.argmax())
        logs = torch.from_numpy(chances).log() / self.wishes.temperature
        # Of chances that are all 0 each is as good as any other.
        weights = (logs - logs.max()).exp() if chances.max() > 0 else torch.ones(len(chances), dtype=torch.float64)
        return int(torch.multinomial(weights, 1, generator=self._generator))


def positions_of(board: Board, colour: int) -> Positions:
    """The present position as a batch of one, as `colour` sees it."""
    stones = torch.from_numpy(board.stones)[None]
    last = [point for _, point in board.moves[: -RECENT - 1 : -1]]
    recent = torch.tensor([last + [NOTHING] * (RECENT - len(last))], dtype=torch.int16)
    # The ko is the opponent's to mind if colour plays out of turn.
    ko = board.ko if board.ko is not None and colour == board.to_play else NOTHING
    own, other = (stones == colour).to(torch.uint8), (stones == opponent(colour)).to(torch.uint8)
    return Positions(own, other, recent, torch.tensor([ko], dtype=torch.int16))


def load_player(word: str, *, runs: Path, command: str, wishes: Wishes) -> Player:
    """The player that `word` names: `random`, or a run as `load_policy` has it."""
    if word == RANDOM:
        generator = torch.Generator().manual_seed(wishes.seed)
        return RandomPlayer(lambda below: int(torch.randint(below, (), generator=generator)))
    policy = load_policy(word, runs=runs, command=command, device=wishes.device, allow_code=wishes.allow_code)
    return PolicyPlayer(policy, wishes)


def load_policy(word: str, *, runs: Path, command: str, device: str | None, allow_code: bool) -> Policy:
    """The best checkpoint of the run that `word` names.

    Args:
        word: a path, MODEL-DATA/TIME or a unique end of it, or `latest`.
        runs: the folder of runs.
        command: who asks, for the message.
        device: another device than the run's, or None.
        allow_code: whether modules of the folder where the command runs may be called.

    Raises:
        ConfigError: it is no run that learned Go.
        CheckpointError: its folder is damaged.
    """
    # One position is too little work to share: beside other work two threads cost 0.33 CPU-seconds a move, one 0.008.
    run = reopen(word, runs=runs, device=device, threads=1, allow_code=allow_code)
    size = run.parts.data.facts().get("board_size")
    if run.gives != "positions" or not isinstance(run.parts.data, OfGames) or not isinstance(size, int):
        raise ConfigError(f"{command} is for runs that learned Go; {word} is {run.what}")
    return Policy(run.folder, run.parts, run.best(), cast(OfGames, run.parts.data).planes, size)
