"""Settings of the documentation site.

    uv run sphinx-build -W --keep-going -b html docs docs/_build

builds it, without the network. The tutorials are the scripts in ``notebooks``; they have output if
they were executed into ``docs/_executed``, or into the folder that the environment variable
``BAYESLAW_NOTEBOOKS`` names. ``.ci/run_notebook.py`` executes them.
"""

import os
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import mathml  # noqa: E402
import pages  # noqa: E402

import bayeslaw as bl  # noqa: E402

project = "bayeslaw"
author = "the authors of bayeslaw"
project_copyright = "the authors of bayeslaw, Apache-2.0"
release = version = bl.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "_executed", "_made", "_templates", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]
default_role = "py:obj"
add_module_names = False
python_use_unqualified_type_names = True

autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_default_options = {"exclude-members": "__init__, __new__"}
autosummary_filename_map = {
    "bayeslaw.Fit": "bayeslaw.Fit-record",
    "bayeslaw.Law": "bayeslaw.Law-record",
}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # executed before the build
nb_merge_streams = True
nb_ipywidgets_js = {}  # no widgets: their scripts would be fetched from the network
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "bayeslaw"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False


def write_pages(app: Sphinx, _: object) -> None:
    """Write generated pages before Sphinx reads its sources."""
    executed = Path(os.environ.get("BAYESLAW_NOTEBOOKS", HERE / "_executed"))
    pages.write(Path(app.srcdir), executed)


def setup(app: Sphinx) -> None:
    """Register the MathML renderer and the generated pages."""
    app.add_html_math_renderer("mathml", (mathml.inline, None), (mathml.display, None))
    app.connect("config-inited", write_pages)
