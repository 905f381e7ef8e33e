"""Reports: tear sheets, comparisons and pictures of results, as self-contained HTML, SVG and PNG.
May import the statistics and the records of research; matplotlib and jinja load when something is drawn.
Start reading at tear_sheet.py (what stands on a page), then canvas.py (how pictures look).
"""

from research.reports.canvas import Chart
from research.reports.charts import closes_chart, columns_chart, drawdown_chart, equity_chart, price_chart
from research.reports.comparison import compare
from research.reports.page import Report, refuse_other_file
from research.reports.recorded import report_of_runs
from research.reports.sweep_map import heat_map, sweep_html
from research.reports.sweep_page import sweep_report
from research.reports.tear_sheet import equity_svg, report, report_html, summary_html
from research.reports.words import statistics_in_words

__all__ = [
    "Chart",
    "Report",
    "closes_chart",
    "columns_chart",
    "compare",
    "drawdown_chart",
    "equity_chart",
    "equity_svg",
    "heat_map",
    "price_chart",
    "refuse_other_file",
    "report",
    "report_html",
    "report_of_runs",
    "statistics_in_words",
    "summary_html",
    "sweep_html",
    "sweep_report",
]
