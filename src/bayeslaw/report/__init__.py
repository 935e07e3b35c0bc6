"""A report: one HTML file that a colleague without Python can read.

Data flow one way: ``assemble`` asks the fit and fills a record of blocks, ``page`` sets them by a
template that computes nothing, ``write`` puts the page into a file. A new section is a function
that gives a `blocks.Section`, named in `assemble`.
"""

from bayeslaw.report.write import write_report

__all__ = ["write_report"]
