"""Synthetic poems that keep every rule of form, rhyme and tone, of 350 words: no download, no rhyme table."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate, count

from dlcourse.data.base import mix
from dlcourse.data.poem_cleaning import Poem
from dlcourse.data.poem_set import PoemSet
from dlcourse.text.characters import PUNCTUATION, RESERVED
from dlcourse.verse.forms import FORMS
from dlcourse.verse.tones import EITHER, Template, templates

COUNT = 2_000
PREFERENCE = 6
"""How many times as often as others the words of a poem's theme stand in it: what is read tells of what follows."""
_SEED = 0x9035

THEMES: Sequence[Mapping[str, str]] = (
    {
        "平平": "青山 寒山 江山 雲山 浮雲 孤雲 青雲 雲峰 孤峰 千峰 千山 清江 黃河 清溪 清泉 流泉 寒泉 青松 孤松 寒松 "
        "松風 山門 孤舟 漁舟 漁歌 鐘聲 泉聲 松聲 樵歌 青苔 沙鷗",
        "平仄": "山水 流水 江水 溪水 湖水 飛鳥 山鳥 幽鳥 歸鳥 孤鶴 仙鶴 山寺 喬木 山徑 幽徑 修竹 松竹 松影 雲影 雲樹 "
        "煙樹 江樹 山色 千里 歸客 山客 江岸 滄海 江海 山店",
        "仄平": "白雲 石泉 古松 古城 遠山 遠峰 白鷗 水邊 竹林 暮雲 暮鐘 鳥聲 水聲 釣舟 客舟 大江 石橋 野橋 小橋 翠微",
        "仄仄": "碧水 綠水 白鳥 白鷺 白鶴 古寺 野寺 古道 古木 石徑 曲徑 翠竹 綠竹 竹影 遠樹 水色 萬里 野客 遠岸 兩岸 "
        "碧海 大海 碧草 石壁 絕壁 翠壁 野店 落日 白日",
    },
    {
        "平平": "秋風 西風 清風 寒風 秋聲 秋霜 清霜 寒霜 寒鴉 昏鴉 歸鴉 高樓 西樓 江樓 孤燈 寒燈 殘燈 青燈 梧桐 黃昏 "
        "天涯 家園 斜陽 殘陽 寒蟬 秋蟬 秋天 霜天 孤煙 寒煙 秋江 寒江 歸舟 歸人",
        "平仄": "明月 秋月 新月 殘月 江月 山月 孤月 秋雨 寒雨 秋水 秋草 秋葉 黃葉 紅葉 楓葉 秋色 清夜 秋露 清露 羌笛 "
        "孤雁 歸雁 鴻雁 孤客 燈影 人影 今夜 何日 今日 殘葉",
        "仄平": "故人 故園 夕陽 北風 夜風 晚風 暮天 客愁 客心 雁聲 月明 水寒 白頭 酒家 酒旗 小樓 雨聲 漏聲 玉關 燭光 "
        "月光",
        "仄仄": "冷月 夜雨 冷雨 暮雨 白草 落葉 落木 月色 暮色 夜色 夜半 半夜 永夜 白露 玉露 冷露 玉笛 短笛 落雁 遠客 "
        "舊國 故國 舊事 往事 寂寞 濁酒 月影 燭影 日暮 歲暮 白髮 北斗 四壁",
    },
    {
        "平平": "春風 東風 春花 桃花 梅花 飛花 楊花 春光 花光 春山 春江 春城 江城 春天 芳春 青春 垂楊 芙蓉 紅樓 高臺 "
        "花枝 桃枝 佳人 遊人 詩人 花香 清香 鶯聲 歌聲 春愁 晴煙 清明 蜂聲 江南",
        "平仄": "春月 花月 風月 春雨 微雨 春水 春草 芳草 青草 楊柳 垂柳 新柳 春色 花色 花影 花樹 桃樹 花徑 芳徑 啼鳥 "
        "春酒 清酒 詩酒 蝴蝶 春日 朝日 紅日 朝露 晴日 冬雪 冬日 春雪 風雪 飛雪 桃葉",
        "仄平": "落花 百花 野花 杏花 綠楊 柳條 柳絲 柳邊 曉鶯 曉風 晚霞 曉煙 美人 少年 玉樓 草堂 酒香 笛聲 畫樓 小園 "
        "萬花 碧天 綠陰 夜來 夏雲",
        "仄仄": "細雨 百草 細柳 弱柳 綠柳 柳色 草色 柳影 綠樹 碧樹 小徑 百鳥 好鳥 美酒 彩蝶 粉蝶 暖日 小院 玉女 舞女 "
        "曉露 夏日 夏木 夏雨 白雪 積雪 立夏 綠葉",
    },
)
"""Words of mountains, of autumn nights and of spring, by their tones; no character of them has two."""
ENDS: Mapping[str, str] = {
    "東": "風紅同窮通東翁終宮鴻叢",
    "陽": "香光陽霜涼傷黃芳茫堂央塘",
    "尤": "流秋愁樓舟頭遊幽悠休州丘鷗洲",
    "真": "人春新塵身鄰津神頻辰晨鱗",
    "庚": "明清聲情生鳴平城驚晴鶯成",
    "先": "天年煙泉眠邊船前田仙圓然",
}
"""What rhyming lines end on, by rhyme category."""
OBLIQUE_ENDS = "落路夜暮靜冷白綠碧起盡斷遠近住去入渡老晚到問送待暖滿醉寂見急舞坐睡語遍散響細立在宿"
"""What the other lines end on."""
CHARACTERS = frozenset(
    "".join([*(words for theme in THEMES for words in theme.values()), *ENDS.values(), OBLIQUE_ENDS])
)
VOCABULARY_SIZE = len(RESERVED) + len(CHARACTERS - {" "})
_Choices = tuple[list[str], list[int]]
"""Words, and the sums of their weights up to each of them."""
_REGULAR = {form: [template for template in templates(form) if not template.rescues] for form in FORMS}


class ToyPoems(PoemSet):
    """2,000 poems in equal parts of the four forms, whose lines are words of two characters and one at the end.

    Words and ends are drawn among those that the rules allow; a poem repeats no character and prefers one of three
    themes.

    Args:
        val_fraction: Share of each form's other poems that is held out for validation.
        test_fraction: Share of each form that is the test split; it never moves.
        split_seed: Names the validation cut; the poems themselves never change.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        max_tokens: Most entries of the vocabulary; the default has room for all characters.
        min_freq: How often a character must occur in the training poems to get an entry of its own.
        max_length: Most tokens of a poem; none of these is longer than 66.
        bucket: Whether a training batch holds poems of similar length, which saves time.
        stream: Whether an epoch of training is one long row of all poems, cut into rows of `window`.
        window: Predicted tokens of a row of the stream.
    """

    def __init__(
        self,
        *,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        split_seed: int = 0,
        fold: str | None = None,
        max_tokens: int = VOCABULARY_SIZE,
        min_freq: int = 1,
        max_length: int = 128,
        bucket: bool = True,
        stream: bool = False,
        window: int = 128,
    ) -> None:
        super().__init__(
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            split_seed=split_seed,
            fold=fold,
            max_tokens=max_tokens,
            min_freq=min_freq,
            max_length=max_length,
            bucket=bucket,
            stream=stream,
            window=window,
        )

    def read(self) -> Sequence[Poem]:
        """The same poems every time, no two alike."""
        return list(generate(COUNT))


def generate(poems: int) -> Iterator[Poem]:
    """So many poems, the forms in turn."""
    for number in range(poems):
        # Hashes in place of a library's generator, so that no version of it changes the poems.
        draws = (mix(_SEED, number, at) for at in count())
        form = list(FORMS)[number % len(FORMS)]
        template = _REGULAR[form][next(draws) % len(_REGULAR[form])]
        rhyme = list(ENDS)[next(draws) % len(ENDS)]
        yield Poem(_text(template, rhyme=rhyme, theme=next(draws) % len(THEMES), draws=draws))


def _text(template: Template, *, rhyme: str, theme: int, draws: Iterator[int]) -> str:
    """The ends of the lines are drawn first, because there is less to choose from than for their words."""
    used: set[str] = set()
    rhyming = set(template.rhyming())
    ends = [_drawn(_ends(rhyme if line in rhyming else None), used, draws=draws) for line in range(len(template.lines))]
    lines: list[str] = []
    for tones, end in zip(template.lines, ends, strict=True):
        words = [
            _drawn(_words(tones[at : at + 2], theme=theme), used, draws=draws) for at in range(0, len(tones) - 1, 2)
        ]
        lines.append("".join([*words, end]))
    return "".join(line + PUNCTUATION[at % 2] for at, line in enumerate(lines))


def _drawn(choices: _Choices, used: set[str], *, draws: Iterator[int]) -> str:
    """One of them, none of whose characters is used yet; they are from then on."""
    words, sums = choices
    while not used.isdisjoint(word := words[bisect_right(sums, next(draws) % sums[-1])]):
        pass
    used.update(word)
    return word


@cache
def _ends(rhyme: str | None) -> _Choices:
    chars = OBLIQUE_ENDS if rhyme is None else ENDS[rhyme]
    return list(chars), list(accumulate(1 for _ in chars))


@cache
def _words(wanted: str, *, theme: int) -> _Choices:
    """The words that have these tones, 中 being either, each as likely as it is in a poem of that theme."""
    weights = {
        word: PREFERENCE if number == theme else 1
        for number, by_tones in enumerate(THEMES)
        for tones, words in by_tones.items()
        if all(one in (tone, EITHER) for one, tone in zip(wanted, tones, strict=True))
        for word in words.split()
    }
    return list(weights), list(accumulate(weights.values()))
