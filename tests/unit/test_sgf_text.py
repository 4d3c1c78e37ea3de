"""SGF in the encodings of the places where Go is played."""

from __future__ import annotations

import pytest

from dlcourse.go.record import GameRecord
from dlcourse.go.sgf import read_games
from dlcourse.go.sgf_text import readings

CHINESE = "棋聖戰挑戰賽第一局，黑方中盤勝，白方在右下角的攻防中失誤。"
SIMPLIFIED = "名人战挑战赛第一局，黑方中盘胜，白方在右下角的攻防中失误。"
JAPANESE = "本因坊戦第一局、黒番の中押し勝ち。白は右下の攻め合いで間違えた。"


def game(data: bytes) -> GameRecord:
    (found,) = read_games(data, source="x.sgf")
    assert isinstance(found, GameRecord), found
    return found


def sgf(*, name: str, comment: str, charset: str | None) -> str:
    declared = f"CA[{charset}]" if charset else ""
    return f"(;GM[1]SZ[9]{declared}PB[{name}]EV[{comment}];B[aa]C[{name}];W[ba]C[{comment}{name}];B[ca])"


@pytest.mark.parametrize(
    ("codec", "charset", "name", "comment"),
    [
        ("big5", "Big5", "許功蓋", CHINESE),
        ("big5", None, "許功蓋", CHINESE),
        ("gb18030", "GB2312", "聶衛平沑", SIMPLIFIED),  # the last is not in GB2312
        ("gb18030", "gbk", "马晓春", SIMPLIFIED),
        ("gb18030", None, "马晓春", SIMPLIFIED),
        ("cp932", "Shift_JIS", "表十", JAPANESE),
        ("cp932", None, "本因坊表ソ", JAPANESE),
        ("cp932", "no-such-charset", "本因坊表ソ", JAPANESE),
        ("cp932", "utf-7", "本因坊表ソ", JAPANESE),
        ("euc_jp", "EUC-JP", "坂田栄男", JAPANESE),
        ("iso2022_jp", "ISO-2022-JP", "坂田栄男", JAPANESE),
        ("euc_kr", "EUC-KR", "이창호", "조훈현"),
        ("utf-8", "UTF-8", "李昌鎬", CHINESE),
        ("utf-8", None, "李昌鎬", CHINESE),
        ("utf-8", "GB2312", "李昌鎬", CHINESE),  # declared wrongly
        ("gb18030", "UTF-8", "马晓春", SIMPLIFIED),  # declared wrongly
        ("utf-16", None, "李昌鎬", CHINESE),
        ("latin-1", "ISO-8859-1", "José Müller", "¡Adiós, señor Åkesson!"),
        ("latin-1", None, "José", "Größe"),
        ("koi8-r", "KOI8-R", "Шикшин", "Илья"),
        ("gb18030", "GB2312", "联通", ""),  # valid UTF-8 by chance
    ],
)
def test_no_encoding_costs_a_move_or_a_name(codec: str, charset: str | None, name: str, comment: str) -> None:
    found = game(sgf(name=name, comment=comment, charset=charset).encode(codec))
    assert found.moves.tolist() == [0, 1, 2]
    assert found.names[0] == name


@pytest.mark.parametrize("character", ["功", "許", "蓋", "么", "餐"])  # the second byte is 0x5C in Big5
def test_a_second_byte_that_is_a_backslash_costs_no_move(character: str) -> None:
    data = f"(;CA[Big5]SZ[9];B[aa]C[{character}];W[ba];B[ca])".encode("big5")
    assert b"\\]" in data
    assert game(data).moves.tolist() == [0, 1, 2]
    assert game(data.replace(b"CA[Big5]", b"CA[ISO-8859-1]")).moves.tolist() == [0, 1, 2]


def test_a_second_byte_that_is_a_bracket_costs_no_move() -> None:
    data = "(;CA[GBK]SZ[9]PB[慮];B[aa]C[慮];W[ba];B[ca])".encode("gbk")
    assert b"]]" in data
    found = game(data)
    assert (found.moves.tolist(), found.names[0]) == ([0, 1, 2], "慮")


def test_bytes_escaped_without_regard_to_characters_are_understood() -> None:
    found = game(b"(;CA[Big5]SZ[9]PB[" + "許".encode("big5") + b"\\];B[aa];W[ba];B[ca])")
    assert (found.moves.tolist(), found.names[0]) == ([0, 1, 2], "許")


@pytest.mark.parametrize("charset", ["GB2312", "Big5", "Shift_JIS"])
def test_a_name_cut_in_the_middle_of_a_character_costs_no_move(charset: str) -> None:
    cut = "黒番黒番".encode(charset, "ignore")[:-1]
    found = game(b"(;CA[" + charset.encode() + b"]SZ[9]PB[" + cut + b"];B[aa];W[ba])")
    assert found.moves.tolist() == [0, 1]


def test_one_broken_byte_does_not_make_utf8_something_else() -> None:
    assert game(f"(;SZ[9]PB[李昌鎬]C[{CHINESE}".encode() + b"\xe6];B[aa])").names[0] == "李昌鎬"


def test_games_of_one_file_may_have_different_encodings() -> None:
    pieces = [
        sgf(name=name, comment=comment, charset=None).encode(codec)
        for name, comment, codec in [
            ("許功蓋", CHINESE, "big5"),
            ("马晓春", SIMPLIFIED, "gb18030"),
            ("本因坊表ソ", JAPANESE, "cp932"),
            ("李昌鎬", CHINESE, "utf-8"),
        ]
    ]
    found = [entry for entry in read_games(b"\n".join(pieces), source="x.sgf") if isinstance(entry, GameRecord)]
    assert [record.names[0] for record in found] == ["許功蓋", "马晓春", "本因坊表ソ", "李昌鎬"]
    assert [record.source for record in found] == [f"x.sgf#{number}" for number in range(1, 5)]


def test_only_bytes_that_could_hide_a_bracket_are_read_in_several_ways() -> None:
    assert len(readings("(;PB[马晓春 ];B[aa])".encode("gb18030"))) == 1
    assert len(readings("(;PB[李昌鎬];B[aa])".encode())) == 1
    assert len(readings("(;PB[马晓春];B[aa])".encode("gb18030"))) > 1
