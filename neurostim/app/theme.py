"""How the window looks: one accent on calm greys, light and dark, the colours of the report."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from string import Template
from typing import Final, Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

Scheme = Literal["system", "light", "dark"]

HIT_TARGET_PX: Final = 32
"""The least height and width of what is clicked."""
GAP_PX: Final = 12
ICONS: Final = (Path(__file__).parent / "icons").as_posix()
"""Drawn in a grey that can be seen on both themes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours as `#rrggbb`: what text stands on, text, the accent, and what plots draw with.

    `series` are told apart by colour-blind readers too: hues of Okabe and Ito (2008, Color
    Universal Design), darkened on paper until 3:1 and above. `colour_map` is perceptually uniform
    (cividis: Nunez, Anderton and Renslow 2018, PLOS ONE 13(7): e0199239).
    """

    is_dark: bool
    paper: str
    wash: str
    card: str
    ink: str
    muted: str
    rule: str
    edge: str
    accent: str
    on_accent: str
    alarm: str
    alarm_wash: str
    series: tuple[str, ...]
    colour_map: str = "cividis"

    @property
    def colours(self) -> Mapping[str, str]:
        """Every single colour by name."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: colour for name, colour in found.items() if str(colour).startswith("#")}


LIGHT: Final = Theme(
    is_dark=False,
    paper="#f4f6f8",
    wash="#e9edf1",
    card="#fefefe",
    ink="#1c2430",
    muted="#525c69",
    rule="#dde2e8",
    edge="#7d8794",
    accent="#0067b0",
    on_accent="#fefefe",
    alarm="#a3171f",
    alarm_wash="#fdecec",
    series=("#6b7480", "#0067b0", "#c8500a", "#00836a", "#a0468c", "#8a6d00"),
)
DARK: Final = Theme(
    is_dark=True,
    paper="#14181e",
    wash="#262d37",
    card="#1c222a",
    ink="#e4e8ed",
    muted="#a9b3bf",
    rule="#303843",
    edge="#778391",
    accent="#74b6f0",
    on_accent="#10151b",
    alarm="#ff9a9a",
    alarm_wash="#3a1c1f",
    series=("#9aa4b0", "#5fb0f5", "#f59a5b", "#3fc6a6", "#df8dcb", "#d5b441"),
)

SHEET: Final = Template("""
* { color: $ink; font-size: 13px; }
QMainWindow, QDialog, QWidget#page, QScrollArea, QScrollArea > QWidget > QWidget {
  background: $paper; }
QToolTip { color: $ink; background: $card; border: 1px solid $edge; padding: 6px; }
QFrame[role="card"] { background: $card; border: 1px solid $rule; border-radius: 8px; }
QFrame[role="tile"] { background: $wash; border: 0; border-radius: 6px; }
QFrame[role="alarm"] { background: $alarm_wash; border: 1px solid $alarm; border-radius: 6px; }
QFrame[role="alarm"] QLabel { color: $alarm; }
QLabel { background: transparent; }
QLabel[role="title"] { font-weight: 600; font-size: 15px; }
QLabel[role="figure"] { font-weight: 600; font-size: 26px; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="heading"] { color: $muted; font-weight: 600; font-size: 12px; }
QLabel[role="banner"] { background: $accent; color: $on_accent; padding: 5px 12px;
  font-weight: 600; }
QLabel[role="problem"] { color: $alarm; }
QPushButton, QToolButton, QComboBox, QSpinBox, QDoubleSpinBox, QLineEdit, QDateEdit {
  background: $card; border: 1px solid $edge; border-radius: 6px; padding: 0 10px;
  min-height: ${hit}px; min-width: ${hit}px; }
QPushButton:hover, QToolButton:hover, QComboBox:hover { border-color: $accent; background: $wash; }
QPushButton:focus, QToolButton:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QLineEdit:focus, QDateEdit:focus, QTableView:focus, QListView:focus, QPlainTextEdit:focus {
  border: 2px solid $accent; }
QPushButton:focus, QToolButton:focus, QComboBox:focus, QSpinBox:focus, QLineEdit:focus {
  padding: 0 9px; }
QPushButton:disabled, QToolButton:disabled, QComboBox:disabled, QSpinBox:disabled,
QLineEdit:disabled {
  color: $muted; border-color: $rule; background: $wash; }
QPushButton[role="primary"] { background: $accent; color: $on_accent; border-color: $accent;
  font-weight: 600; }
QPushButton[role="primary"]:focus { border: 2px solid $ink; }
QPushButton[role="primary"]:disabled { background: $wash; color: $muted; border-color: $rule; }
QPushButton:checked, QToolButton:checked { background: $wash; border-color: $accent; }
QSpinBox QLineEdit { border: 0; background: transparent; min-height: 0; padding: 0 8px; }
QSpinBox { padding: 0; }
QComboBox::drop-down, QSpinBox::up-button, QSpinBox::down-button { border: 0; width: 26px; }
QComboBox::down-arrow, QSpinBox::down-arrow { image: url("$icons/down.svg"); width: 12px;
  height: 12px; }
QSpinBox::up-arrow { image: url("$icons/up.svg"); width: 12px; height: 12px; }
QComboBox QAbstractItemView, QMenu { background: $card; border: 1px solid $edge;
  selection-background-color: $accent; selection-color: $on_accent; }
QMenu::item { padding: 8px 24px; }
QMenu::item:selected { background: $accent; color: $on_accent; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $rule; margin: 4px 8px; }
QMenuBar { background: $paper; }
QMenuBar::item { padding: 8px 12px; background: transparent; }
QMenuBar::item:selected { background: $wash; border-radius: 4px; }
QTabWidget::pane { border: 0; }
QTabBar { background: transparent; outline: 0; }
QTabBar::tab { color: $muted; padding: 0 16px; min-height: ${hit}px; border: 0;
  border-bottom: 3px solid transparent; background: transparent; }
QTabBar::tab:selected { color: $ink; font-weight: 600; border-bottom-color: $accent; }
QTabBar::tab:hover { color: $ink; }
QTabBar::tab:focus { background: $wash; }
QTableView { background: $card; alternate-background-color: $paper; gridline-color: $rule;
  border: 1px solid $rule; selection-background-color: $accent; selection-color: $on_accent; }
QHeaderView, QHeaderView::section, QTableCornerButton::section { background: $wash; color: $ink;
  border: 0; padding: 0 4px; font-size: 12px; color: $muted; }
QTableView[role="small"] { font-size: 12px; border: 0; alternate-background-color: $card; }
QTableView[role="small"] QHeaderView, QTableView[role="small"] QHeaderView::section {
  background: $card; }
QListView, QPlainTextEdit, QTextBrowser { background: $card; border: 1px solid $rule;
  border-radius: 6px; padding: 4px; }
QProgressBar { border: 0; border-radius: 2px; background: $card; min-height: 4px;
  max-height: 4px; }
QProgressBar::chunk { background: $accent; border-radius: 2px; }
QSplitter::handle { background: transparent; }
QStatusBar { background: $paper; color: $muted; }
QStatusBar::item { border: 0; }
QStatusBar QLabel { color: $muted; }
QScrollBar:vertical { background: transparent; width: 12px; }
QScrollBar:horizontal { background: transparent; height: 12px; }
QScrollBar::handle { background: $edge; border-radius: 4px; margin: 2px; min-height: 32px;
  min-width: 32px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QCheckBox, QRadioButton { min-height: ${hit}px; spacing: 8px; }
""")


def apply(application: QApplication, scheme: Scheme) -> Theme:
    """Dress the whole application; `system` follows what the desktop says, now."""
    theme = chosen(application, scheme)
    application.setStyle("Fusion")
    application.setPalette(palette(theme))
    application.setStyleSheet(SHEET.substitute(theme.colours, hit=HIT_TARGET_PX, icons=ICONS))
    return theme


def chosen(application: QApplication, scheme: Scheme) -> Theme:
    """The theme that a choice means on this desktop."""
    if scheme == "system":
        is_dark = application.styleHints().colorScheme() is Qt.ColorScheme.Dark
        return DARK if is_dark else LIGHT
    return DARK if scheme == "dark" else LIGHT


def palette(theme: Theme) -> QPalette:
    """The colours of what the style sheet does not reach."""
    made = QPalette()
    roles = {
        QPalette.ColorRole.Window: theme.paper,
        QPalette.ColorRole.WindowText: theme.ink,
        QPalette.ColorRole.Base: theme.card,
        QPalette.ColorRole.AlternateBase: theme.paper,
        QPalette.ColorRole.Text: theme.ink,
        QPalette.ColorRole.Button: theme.card,
        QPalette.ColorRole.ButtonText: theme.ink,
        QPalette.ColorRole.ToolTipBase: theme.card,
        QPalette.ColorRole.ToolTipText: theme.ink,
        QPalette.ColorRole.PlaceholderText: theme.muted,
        QPalette.ColorRole.Highlight: theme.accent,
        QPalette.ColorRole.HighlightedText: theme.on_accent,
        QPalette.ColorRole.Link: theme.accent,
    }
    for role, colour in roles.items():
        made.setColor(role, QColor(colour))
    return made
