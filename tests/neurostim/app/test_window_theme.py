"""What the window looks like to people who see less: contrast, and sizes of what is clicked."""

from itertools import product

import pytest

from neurostim.app.theme import DARK, LIGHT, Theme

TEXT, GRAPHICS = 4.5, 3.0
"""The least contrast: WCAG 2.2, success criteria 1.4.3 and 1.4.11."""

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2.2 of `#rrggbb`."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2.2, 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@THEMES
def test_every_text_can_be_read(theme: Theme) -> None:
    grounds = (theme.paper, theme.wash, theme.card)
    pairs = [
        *product((theme.ink, theme.muted), grounds),
        (theme.on_accent, theme.accent),
        (theme.alarm, theme.alarm_wash),
        (theme.alarm, theme.card),
    ]
    low = [pair for pair in pairs if contrast(*pair) < TEXT]
    assert not low


@THEMES
def test_every_line_and_edge_can_be_seen(theme: Theme) -> None:
    pairs = [(colour, theme.card) for colour in (*theme.series, theme.edge, theme.accent)]
    low = [pair for pair in pairs if contrast(*pair) < GRAPHICS]
    assert not low
