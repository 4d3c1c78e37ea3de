"""Figures are drawn for 2 to 100 classes, with any name, without a warning and without pyplot."""

import io
import os
import subprocess
import sys
import warnings

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from dlcourse.tasks import figures
from dlcourse.tasks.figures import confusion_matrix, mistakes

pytestmark = pytest.mark.filterwarnings("error")

CHINESE = ["飞机", "汽车", "鸟", "猫", "鹿", "狗", "青蛙", "马", "船", "卡车"]
AWKWARD = [r"no formula: $\frac$", "x^2_3", "", "new\nline", "a very long name of a class that goes on and on"]


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def counted(classes: int) -> Tensor:
    generator = torch.Generator().manual_seed(classes)
    return torch.randint(3, (classes, classes), generator=generator) + 40 * torch.eye(classes, dtype=torch.int64)


def shares(figure: Figure) -> list[list[float]]:
    array = figure.axes[0].images[0].get_array()
    assert array is not None
    return array.tolist()


def numbers(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    "classes",
    [["no", "yes"], CHINESE, AWKWARD, [f"class {k}" for k in range(100)]],
    ids=["2", "10 in Chinese", "awkward", "100"],
)
def test_the_confusion_matrix_is_drawn(classes: list[str]) -> None:
    figure = confusion_matrix(counted(len(classes)), classes=classes)
    assert png(figure).startswith(b"\x89PNG")
    assert max(figure.get_size_inches()) <= 14


def test_the_matrix_names_rows_and_columns_and_counts() -> None:
    figure = confusion_matrix(torch.tensor([[3, 1], [0, 4]]), classes=["cat", "dog"])
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert [(text.get_position(), text.get_text()) for text in axes.texts] == [
        ((0, 0), "3"),
        ((1, 0), "1"),
        ((1, 1), "4"),
    ]
    assert axes.get_title() == "8 items, accuracy 87.50%"
    assert shares(figure) == [[0.75, 0.25], [0, 1]]


def test_numbers_stand_in_the_cells_up_to_twenty_classes() -> None:
    assert numbers(confusion_matrix(counted(20), classes=list("abcdefghijklmnopqrst")))
    assert not numbers(confusion_matrix(counted(21), classes=list("abcdefghijklmnopqrstu")))


def test_a_class_without_items_leaves_its_row_empty() -> None:
    figure = confusion_matrix(torch.tensor([[0, 0], [1, 1]]), classes=["cat", "dog"])
    assert shares(figure) == [[0, 0], [0.5, 0.5]]
    assert png(figure)


@pytest.mark.parametrize("count", [1, 2, 7, 25])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_grid_of_mistakes_is_drawn(count: int, channels: int) -> None:
    figure = mistakes(
        torch.full((count, 8, 8, channels), 200, dtype=torch.uint8),
        truths=[place % 10 for place in range(count)],
        predictions=[(place + 1) % 10 for place in range(count)],
        probabilities=[0.9] * count,
        classes=CHINESE,
    )
    assert len(figure.axes) == count
    assert png(figure).startswith(b"\x89PNG")


def test_a_name_that_looks_like_a_formula_is_written_as_it_is() -> None:
    pixels = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)
    figure = mistakes(pixels, truths=[0], predictions=[0], probabilities=[0.5], classes=[r"$\frac$"])
    assert png(figure)


def test_a_mistake_says_what_it_is_and_what_it_was_taken_for() -> None:
    figure = mistakes(
        torch.zeros(1, 2, 2, 3, dtype=torch.uint8),
        truths=[1],
        predictions=[0],
        probabilities=[0.9999],
        classes=["cat", "dog"],
    )
    assert figure.axes[0].get_title() == "dog\n→ cat 99%"


def test_a_long_name_keeps_its_end() -> None:
    classes = ["a_rather_long_name_1", "a_rather_long_name_2"]
    axes = confusion_matrix(counted(2), classes=classes).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a_rather_…g_name_1", "a_rather_…g_name_2"]


def test_a_name_that_no_font_can_write_becomes_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "characters", lambda: frozenset(map(ord, "catdog")))
    axes = confusion_matrix(counted(3), classes=["cat", "猫", "dog"]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "#1", "dog"]


def test_only_installed_fonts_are_asked_for() -> None:
    from matplotlib import font_manager

    axes = confusion_matrix(counted(2), classes=["cat", "dog"]).axes[0]
    families = axes.get_xticklabels()[0].get_fontfamily()
    assert families[0] == "DejaVu Sans"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for family in families:
            font_manager.findfont(family, fallback_to_default=False)


def test_drawing_leaves_pyplot_and_its_settings_alone() -> None:
    drawn = (
        "import sys; import torch; from dlcourse.tasks import classification, figures;"
        "assert 'matplotlib' not in sys.modules;"
        "figures.confusion_matrix(torch.eye(2).long(), classes=['a', 'b']).canvas.draw();"
        "import matplotlib; assert 'matplotlib.pyplot' not in sys.modules;"
        "assert matplotlib.rcParams == matplotlib.rcParamsOrig"
    )
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    subprocess.run([sys.executable, "-c", drawn], check=True, timeout=120, env=environment)
