"""Tables to read and to copy from."""

import re
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QHeaderView, QTableView, QWidget

from neurostim.app.theme import HIT_TARGET_PX
from neurostim.app.views import NO_ROWS, Table

NUMBER = re.compile(r"[+−-]?[\d.]+( .*)?")
"""With a unit or an interval behind it; a date is none."""

Index = QModelIndex | QPersistentModelIndex


class Cells(QAbstractTableModel):
    """Texts in rows under headings; a column of numbers stands to the right."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.table = NO_ROWS
        self.sides: list[Qt.AlignmentFlag] = []

    def show(self, table: Table) -> None:
        """Put other cells in place of those shown."""
        self.beginResetModel()
        self.table = table
        columns = zip(*table.rows, strict=True) if table.rows else [()] * len(table.columns)
        self.sides = [side_of(cells) for cells in columns]
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """How many rows there are."""
        return 0 if parent.isValid() else len(self.table.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """How many columns there are."""
        return 0 if parent.isValid() else len(self.table.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The text of a cell, and how it stands."""
        text = self.table.rows[index.row()][index.column()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return text
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(self.sides[index.column()] | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(  # noqa: N802
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """The headings, and the numbers of the rows."""
        is_heading = orientation is Qt.Orientation.Horizontal
        if role == Qt.ItemDataRole.TextAlignmentRole and is_heading:
            return int(self.sides[section] | Qt.AlignmentFlag.AlignVCenter)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return self.table.columns[section] if is_heading else section + 1


def side_of(cells: Sequence[str]) -> Qt.AlignmentFlag:
    """A column of numbers stands to the right, any other to the left."""
    is_number = all(NUMBER.fullmatch(cell) for cell in cells if cell not in ("", "—"))
    return Qt.AlignmentFlag.AlignRight if is_number and cells else Qt.AlignmentFlag.AlignLeft


class CellsView(QTableView):
    """A table to read and to copy from, with a name for a screen reader."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.cells = Cells(self)
        self.setModel(self.cells)
        self.setAccessibleName(name)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(True)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(HIT_TARGET_PX)
        self.horizontalHeader().setMinimumHeight(HIT_TARGET_PX)
        self.horizontalHeader().setStretchLastSection(True)

    def show_whole(self, table: Table) -> None:
        """Show a table at once: as high as its rows, its first column giving way to the others."""
        self.show_table(table)
        header = self.horizontalHeader()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(HIT_TARGET_PX * (1 + len(table.rows)) + 4)

    def show_table(self, table: Table) -> None:
        """Show other cells, with columns as wide as what is in them."""
        self.cells.show(table)
        self.setAccessibleDescription(f"{len(table.rows)} rows: {', '.join(table.columns)}.")
        self.horizontalHeader().resizeSections(QHeaderView.ResizeMode.ResizeToContents)
