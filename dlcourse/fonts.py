"""The fonts that matplotlib draws names with, Chinese ones among them."""

from __future__ import annotations

from functools import cache

# Of a collection (.ttc) matplotlib may know the first face only: Noto's is the Japanese one, and holds the Chinese
# characters too.
FAMILIES = (
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans SC", "Noto Sans CJK JP", "Source Han Sans SC", "Source Han Sans CN",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "PingFang SC", "Hiragino Sans GB", "Heiti TC",
    "STHeiti", "Arial Unicode MS", "Microsoft YaHei", "SimHei", "SimSun",
)  # fmt: skip
"""Matplotlib's own font first, then what Linux, macOS and Windows have for Chinese."""


@cache
def families() -> list[str]:
    """Those of FAMILIES that this machine has; matplotlib complains of every other one."""
    from matplotlib import font_manager

    installed = set(font_manager.fontManager.get_font_names())
    return [family for family in FAMILIES if family in installed]


@cache
def characters() -> frozenset[int]:
    """The code points that these fonts can draw."""
    from matplotlib import font_manager

    fonts = [font_manager.get_font(font_manager.findfont(family)) for family in families()]
    return frozenset(code for font in fonts for code in font.get_charmap())
