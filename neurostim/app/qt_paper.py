"""What is on screen, on paper, with the patient above and the banner beneath on every page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from PySide6.QtCore import QMarginsF, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import (
    QFont,
    QPagedPaintDevice,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
    QRegion,
)
from PySide6.QtWidgets import QWidget

DOTS_PER_INCH = 96
"""As on screen, so that every text has the width that its place was made for."""

MARGIN_MM = 12.0
HEAD_PX, FOOT_PX = 48, 26
SLACK = 1.1
"""A panel that is a tenth too high for its page is drawn smaller rather than cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What is printed: panels in order, and what stands above and below them."""

    title: str
    subtitle: str
    banner: str
    panels: Sequence[QWidget]


def write_pdf(path: Path, sheet: Sheet) -> None:
    """Write landscape A4 pages; raises `OSError` where the file cannot be written."""
    path.touch()
    writer = QPdfWriter(str(path))
    writer.setTitle(f"{sheet.title}: {sheet.banner}")
    writer.setCreator("neurostim")
    writer.setResolution(DOTS_PER_INCH)
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    writer.setPageOrientation(QPageLayout.Orientation.Landscape)
    margins = QMarginsF(MARGIN_MM, MARGIN_MM, MARGIN_MM, MARGIN_MM)
    writer.setPageMargins(margins, QPageLayout.Unit.Millimeter)
    paint(writer, sheet)


def paint(device: QPagedPaintDevice, sheet: Sheet) -> None:
    """Paint every panel as wide as a page, on as many as it takes, as lines and letters."""
    painter = QPainter(device)
    scale = device.logicalDpiX() / DOTS_PER_INCH
    painter.scale(scale, scale)
    viewport = painter.viewport()
    page = QRectF(0, 0, viewport.width() / scale, viewport.height() / scale)
    room = page.adjusted(0, HEAD_PX, 0, -FOOT_PX)
    pieces = [piece for panel in sheet.panels for piece in cut(panel, room)]
    for number, (panel, part, fit) in enumerate(pieces, start=1):
        if number > 1:
            device.newPage()
        write_margins(painter, sheet, page, f"{number} / {len(pieces)}")
        painter.save()
        painter.translate(room.topLeft())
        painter.scale(fit, fit)
        panel.render(painter, QPoint(0, 0), QRegion(part))
        painter.restore()
    painter.end()


def cut(panel: QWidget, room: QRectF) -> Iterator[tuple[QWidget, QRect, float]]:
    """The parts of a panel that fit on a page each, with the scale at which they do."""
    fit = room.width() / panel.width()
    if panel.height() * fit <= SLACK * room.height():
        yield panel, panel.rect(), min(fit, room.height() / panel.height())
        return
    height = int(room.height() / fit)
    for number in range(ceil(panel.height() / height)):
        part = QRect(0, number * height, panel.width(), height)
        yield panel, part.intersected(panel.rect()), fit


def write_margins(painter: QPainter, sheet: Sheet, page: QRectF, number: str) -> None:
    """Write whose page it is, the banner, and which page."""
    font = QFont(painter.font())
    font.setPixelSize(17)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(Qt.GlobalColor.black)
    painter.drawText(page, Qt.AlignmentFlag.AlignLeft, sheet.title)
    font.setPixelSize(12)
    font.setBold(False)
    painter.setFont(font)
    painter.drawText(page.adjusted(0, 23, 0, 0), Qt.AlignmentFlag.AlignLeft, sheet.subtitle)
    bottom = Qt.AlignmentFlag.AlignBottom
    painter.drawText(page, bottom | Qt.AlignmentFlag.AlignLeft, sheet.banner)
    painter.drawText(page, bottom | Qt.AlignmentFlag.AlignRight, number)
