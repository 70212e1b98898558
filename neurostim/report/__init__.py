"""Protocol comparison reports: one self-contained HTML page, and one figure for elsewhere.

Importing this package loads matplotlib, SciPy and statsmodels; import it where a report is written.
"""

from neurostim.report.figures import key_figure as key_figure
from neurostim.report.page import render as render
from neurostim.report.page import write_report as write_report
from neurostim.report.pdf import write_pdf as write_pdf
from neurostim.report.supplements import Supplements as Supplements
from neurostim.report.supplements import supplements_in as supplements_in
