"""Conditions on runs, as in `where="optimizer.lr<0.1 and model==resnet18"`: parsed here, never evaluated as Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from dlcourse.errors import ConfigError, suggestion
from dlcourse.results.conditions import Comparison, Condition, Joined, Not, never_comparable
from dlcourse.results.fields import known_names
from dlcourse.results.record import RunRecord
from dlcourse.results.where_words import Word, split_words

ALLOWED = "a condition is NAME OP VALUE with OP one of == != < <= > >= ~ in, joined by and, or, not and ( )"
KEYWORDS = ("and", "or", "not", "in", "like")
MOST_DEPTH = 50


@dataclass(frozen=True)
class Query:
    """A condition as a user wrote it."""

    text: str
    condition: Condition

    @staticmethod
    def parse(text: str) -> Query:
        """Read a condition.

        Names are settings (`optimizer.lr`, `model`), numbers (`test.accuracy`, `val.loss`; bare `accuracy` is the
        test's, else the best validation's) and name, state, tags, time (seconds; 2h, 5m, 30s), began, step, epoch.

        Raises:
            ConfigError: it is none; the line says where and what is allowed.
        """
        reader = _Reader(text, split_words(text))
        condition = reader.either()
        reader.end()
        return Query(text, condition)

    def matches(self, record: RunRecord) -> bool:
        """Whether it holds of a run; a comparison with what the run lacks neither holds nor does its opposite."""
        return self.condition.holds(record) is True

    def check(self, records: Sequence[RunRecord]) -> None:
        """Hold the query's names and kinds against the runs that it is asked of.

        Raises:
            ConfigError: no run has such a name, or in none can its value be compared so; one line each.
        """
        known = known_names(records)
        problems: list[str] = []
        for one in self.condition.comparisons() if records else ():
            names = [one.name, *([str(one.value)] if one.by_name else [])]
            unknown = [name for name in names if name not in known]
            problems += [f"where: no run has {name}{suggestion(name, known)}" for name in unknown]
            if not unknown and (wrong := never_comparable(one, records)):
                problems.append(f"where: {wrong}")
        if problems:
            raise ConfigError(*dict.fromkeys(problems))


def chosen(records: Sequence[RunRecord], *, where: str | None) -> tuple[RunRecord, ...]:
    """The runs of which `where` holds; all if it is None.

    Raises:
        ConfigError: it is no condition, or speaks of what no run has.
    """
    if where is None:
        return tuple(records)
    query = Query.parse(where)
    query.check(records)
    return tuple(record for record in records if query.matches(record))


@dataclass
class _Reader:
    """Reads words from the left: or binds loosest, then and, then not."""

    text: str
    words: list[Word]
    place: int = 0
    depth: int = 0

    def either(self) -> Condition:
        return self._joined("or", self._both, all=False)

    def end(self) -> None:
        if self.place < len(self.words):
            self._refuse("is one word too many" if self.place else "cannot stand there")

    def _both(self) -> Condition:
        return self._joined("and", self._one, all=True)

    def _joined(self, word: str, part: Callable[[], Condition], *, all: bool) -> Condition:
        parts = [part()]
        while self._take("word", word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(tuple(parts), all)

    def _one(self) -> Condition:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise ConfigError(f"where: more than {MOST_DEPTH} brackets or nots in one another")
        if self._take("word", "not"):
            found: Condition = Not(self._one())
        elif self._take("mark", "("):
            found = self.either()
            self._need("mark", ")")
        else:
            found = self._comparison()
        self.depth -= 1
        return found

    def _comparison(self) -> Condition:
        name = self._next("word", "quoted")
        if self._take("word", "not"):
            self._need("word", "in")
            return Not(Comparison(name.text, "in", self._list(name.text)))
        if self._take("word", "in"):
            return Comparison(name.text, "in", self._list(name.text))
        sign = "~" if self._take("word", "like") else self._next("sign").text
        sign = "==" if sign == "=" else sign
        if self._at("mark", "["):  # behind a sign, ( is no list: it may have been meant as a bracket
            return Comparison(name.text, sign, self._list(name.text))
        value = self._next("word", "quoted")
        by_name = value.kind == "word" and value.text.startswith(("test.", "val."))
        return Comparison(name.text, sign, value.value(name.text), by_name=by_name)

    def _list(self, name: str) -> list[object]:
        end = ")" if self._take("mark", "(") else "]"
        if end == "]":
            self._need("mark", "[")
        found: list[object] = []
        while not self._take("mark", end):
            found.append(self._next("word", "quoted").value(name))
            if not self._at("mark", end):
                self._need("mark", ",")
        return found

    def _at(self, kind: str, text: str) -> bool:
        here = self.words[self.place] if self.place < len(self.words) else None
        return here is not None and here.kind == kind and here.text == text

    def _take(self, kind: str, text: str) -> bool:
        found = self._at(kind, text)
        self.place += found
        return found

    def _need(self, kind: str, text: str) -> None:
        if not self._take(kind, text):
            self._refuse(f"cannot stand where {text} must")

    def _next(self, *kinds: str) -> Word:
        here = self.words[self.place] if self.place < len(self.words) else None
        if here is None or here.kind not in kinds or (here.kind == "word" and here.text in KEYWORDS):
            self._refuse("cannot stand there")
        self.place += 1
        return self.words[self.place - 1]

    def _refuse(self, what: str) -> NoReturn:
        if self.place >= len(self.words):
            raise ConfigError(f"where: {self.text!r} is not finished; {ALLOWED}")
        word = self.words[self.place]
        after = f" after {self.text[: word.at].strip()!r}" if word.at else ""
        raise ConfigError(f"where: {word.text!r}{after} {what}; {ALLOWED}")
