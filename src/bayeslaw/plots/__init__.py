"""Matplotlib figures of results; nothing is computed here except intervals.

Each function draws into your axes if given `ax`; otherwise it makes a figure one column or one page
wide. Figures follow Matplotlib's background: they are dark under
``plt.style.use("bayeslaw.dark")`` or any other style with a dark ``figure.facecolor``.

A figure is one file and one line in `figures.FIGURES`.
"""
