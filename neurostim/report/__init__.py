"""Protocol comparison reports: one self-contained HTML page, and one figure for elsewhere.

Importing this package loads matplotlib, SciPy and statsmodels; import it where a report is written.
"""

from neurostim.report.figures import key_figure as key_figure
from neurostim.report.page import render as render
from neurostim.report.page import write_report as write_report
