"""Results → drawn figures, tables and pages; nothing is computed here."""

from tumorscope.reports.html import Section, figure_html, table_html, write_page

__all__ = ["Section", "figure_html", "table_html", "write_page"]
