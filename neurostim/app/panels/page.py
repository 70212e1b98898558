"""How the window is laid out: banner, header, timeline over the tabs, the proposal beside them."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QScrollArea, QSplitter, QTabWidget, QVBoxLayout, QWidget

from neurostim.app.panels.alert import AlertPanel
from neurostim.app.panels.beliefs import BeliefsPanel
from neurostim.app.panels.futures import FuturesPanel
from neurostim.app.panels.header import HeaderPanel
from neurostim.app.panels.limits import LimitsPanel
from neurostim.app.panels.policies import PoliciesPanel
from neurostim.app.panels.proposal import ProposalPanel
from neurostim.app.panels.slice import SlicePanel
from neurostim.app.panels.timeline import TimelinePanel
from neurostim.app.panels.what_if import WhatIfPanel
from neurostim.app.theme import GAP_PX, Theme
from neurostim.app.views import NOTICE

WIDTHS_PX, HEIGHTS_PX, BELIEFS_PX = (1080, 340), (370, 400), (640, 360)
LEAST_TABS_PX = 270


class Page(QWidget):
    """Every panel, with those linked that follow one another."""

    def __init__(
        self,
        header: HeaderPanel,
        policies: PoliciesPanel,
        what_if: WhatIfPanel,
        futures: FuturesPanel,
        limits: LimitsPanel,
        *,
        tab_names: Sequence[str],
    ) -> None:
        super().__init__()
        self.setObjectName("page")
        self.header, self.policies, self.what_if = header, policies, what_if
        self.futures, self.limits = futures, limits
        self.alert, self.timeline, self.proposal = AlertPanel(), TimelinePanel(), ProposalPanel()
        self.beliefs, self.slice = BeliefsPanel(), SlicePanel()
        self.beliefs.moved.append(self.slice.follow)
        self.timeline.moved.append(what_if.point_at)
        self.banner = QLabel(NOTICE)
        self.banner.setProperty("role", "banner")
        self.banner.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.maps = split(Qt.Orientation.Horizontal, (self.beliefs, self.slice), BELIEFS_PX)
        self.maps.setContentsMargins(0, GAP_PX, 0, 0)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Views")
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.setMinimumHeight(LEAST_TABS_PX)
        tabs = (self.maps, policies, what_if, futures, limits)
        for name, tab in zip(tab_names, tabs, strict=True):
            self.tabs.addTab(tab, name)
        left = split(Qt.Orientation.Vertical, (self.timeline, self.tabs), HEIGHTS_PX)
        body = self.body = split(
            Qt.Orientation.Horizontal, (left, self.scrolled_proposal()), WIDTHS_PX
        )
        body.setStretchFactor(0, 1)
        body.setStretchFactor(1, 0)
        inner = QVBoxLayout()
        inner.setContentsMargins(GAP_PX, GAP_PX, GAP_PX, GAP_PX)
        inner.setSpacing(GAP_PX)
        inner.addWidget(self.alert)
        inner.addWidget(header)
        inner.addWidget(self.body, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.banner)
        layout.addLayout(inner, 1)

    def scrolled_proposal(self) -> QScrollArea:
        """The proposal, to be scrolled where the window is low."""
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setAccessibleName("Proposal")
        area.setWidget(self.proposal)
        area.setMinimumWidth(WIDTHS_PX[1] - 40)
        return area

    @property
    def panels_on_screen(self) -> tuple[QWidget, ...]:
        """What is printed: all below the header, and in full what would have to be scrolled."""
        is_compared = self.tabs.currentWidget() is self.policies and self.policies.view is not None
        return (self.body, self.policies.page) if is_compared else (self.body,)

    def say(self, sentence: str) -> None:
        """Say why nothing is drawn yet, wherever something will be."""
        self.timeline.say(sentence)
        self.what_if.rates.say(sentence)
        self.say_beliefs(sentence)

    def say_beliefs(self, sentence: str) -> None:
        """Say why nothing is believed and proposed."""
        for panel in (self.beliefs, self.slice, self.proposal):
            panel.say(sentence)

    def dress(self, theme: Theme) -> None:
        """Take other colours, and draw again in them."""
        for chart in (self.timeline, self.beliefs, self.slice):
            chart.dress(theme)
            chart.draw()
        self.policies.dress(theme)
        self.what_if.dress(theme)
        self.futures.fans.dress(theme)
        self.futures.fans.draw()

    def offer(self, policies: Mapping[str, str], current: str) -> None:
        """Offer policies wherever one is chosen; the first one is what others are held against."""
        self.header.policy.clear()
        self.header.policy.addItems(list(policies))
        first = list(dict.fromkeys([*list(policies)[:1], current, *policies]))
        self.policies.choice.offer(policies, first[:3])
        self.futures.choice.offer(policies, first[:3])
        self.what_if.offer(list(policies))


def split(
    orientation: Qt.Orientation, parts: Sequence[QWidget], sizes_px: Sequence[int]
) -> QSplitter:
    """Parts beside or above one another, whose border can be moved."""
    splitter = QSplitter(orientation)
    for part in parts:
        splitter.addWidget(part)
    splitter.setSizes(sizes_px)
    splitter.setHandleWidth(GAP_PX)
    splitter.setChildrenCollapsible(False)
    return splitter
