"""One's own games of Go: a folder of SGF files, a single file, or archives of them."""

from __future__ import annotations

from collections.abc import Iterator

from dlcourse.data.go_files import find_games
from dlcourse.data.go_games import About, Games, Limit, gather_games
from dlcourse.data.go_planes import Planes
from dlcourse.data.go_positions import check_at_least
from dlcourse.data.go_ranks import UNKNOWN, rank_number
from dlcourse.data.go_set import GoSet, Moves
from dlcourse.data.roots import checked_root
from dlcourse.go.record import GameRecord
from dlcourse.go.sgf import Unreadable, read_games


class Sgf(GoSet):
    """The positions before every move of all games in SGF files.

    A game that cannot be read, is not legal or repeats another one (turned or mirrored, too) is skipped and counted.
    Whole games are cut into splits, each by a hash of its moves: no game changes sides when others are added.

    Args:
        root: A folder that is searched with all below it, an .sgf file, a .zip or a .tar.gz; `~` is expanded.
        size: Lines of the board, 2 to 25; games of another size are skipped.
        planes: What a network sees: basic (stones), history (and the last 4 moves) or full (8 moves, ko, liberties).
        moves: Whose moves are learned: all, or winner, those of each game's winner alone; the test asks for all.
        min_moves: Shorter games are skipped.
        max_moves: Longer games are skipped; null is none.
        min_rank: Both players have this rank at least, such as 5d; null takes all games.
        handicap: Whether games with handicap or other stones set up before the first move are taken.
        max_games: Reading stops after so many games that all other settings take, by the files' names; null is never.
        val_fraction: Share of the other games that is held out for validation.
        test_fraction: Share of the games that is the test split; it never moves.
        split_seed: Names the validation cut.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        symmetry: Whether training turns or mirrors each position by one of the eight symmetries.
        epoch_size: Positions of an epoch of training, others in each; null is all.
        val_positions: Positions that validation takes, spread over its games; null is all.
        test_positions: Positions that the test takes, spread over its games; null is all.
    """

    def __init__(
        self,
        *,
        root: str = "data",
        size: int = 19,
        planes: Planes = "history",
        moves: Moves = "all",
        min_moves: int = 20,
        max_moves: int | None = None,
        min_rank: str | None = None,
        handicap: bool = True,
        max_games: int | None = None,
        val_fraction: float = 0.05,
        test_fraction: float = 0.05,
        split_seed: int = 0,
        fold: str | None = None,
        symmetry: bool = True,
        epoch_size: int | None = 500_000,
        val_positions: int | None = 20_000,
        test_positions: int | None = 100_000,
    ) -> None:
        super().__init__(
            size=size,
            planes=planes,
            moves=moves,
            symmetry=symmetry,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            split_seed=split_seed,
            fold=fold,
            epoch_size=epoch_size,
            val_positions=val_positions,
            test_positions=test_positions,
        )
        if min_moves < 1:
            raise ValueError(f"min_moves must be 1 or more, not {min_moves}")
        check_at_least(min_moves, max_moves, name="max_moves", of="moves (min_moves)")
        check_at_least(1, max_games, name="max_games", of="games")
        if min_rank is not None and rank_number(min_rank) == UNKNOWN:
            raise ValueError(f"min_rank must be a rank such as 10k, 5d or 9p, not {min_rank!r}")
        self.root = checked_root(root)
        self.min_moves = min_moves
        self.max_moves = max_moves
        self.min_rank = min_rank
        self.handicap = handicap
        self.max_games = max_games

    def read(self) -> Games:
        """Read and replay every game, or take them from the cache if no file has changed since."""
        files = find_games(self.root)

        def found() -> Iterator[GameRecord | Unreadable]:
            for name, data in files.read():
                yield from read_games(data, source=name)

        settings = repr((self.min_moves, self.max_moves, self.min_rank, self.handicap))
        limit = None if self.max_games is None else Limit(self.max_games, lambda game: not self.why_not(game), settings)
        return gather_games(found, digest=files.digest, size=self.size, where=str(self.root), limit=limit)

    def why_not(self, game: About) -> str:
        """Too short or too long, a player too weak or unknown, or with handicap."""
        lowest = None if self.min_rank is None else rank_number(self.min_rank)
        reasons = {
            f"fewer than {self.min_moves} moves": game.moves < self.min_moves,
            f"more than {self.max_moves} moves": self.max_moves is not None and game.moves > self.max_moves,
            f"a player below {self.min_rank} or unknown": lowest is not None and game.rank < lowest,
            "handicap": not self.handicap and game.handicap,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def advice(self) -> str:
        """What to do if too few games are left."""
        if self.root.is_file():
            return f"data.root={self.root} is a single file: give the folder with your records, or an archive of them"
        return super().advice()
