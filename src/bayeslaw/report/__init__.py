"""HTML reports: one file that a colleague without Python can read.

Data flow one way: `assemble` computes the sections from a fit, `page` renders their blocks with a
template that computes nothing, and `write` writes the page to a file. A new section is a function
that returns a `blocks.Section` and is called in `assemble`.
"""

from bayeslaw.report.write import write_report

__all__ = ["write_report"]
