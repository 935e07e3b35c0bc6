"""Execute a notebook script into a folder: python .ci/run_notebook.py notebooks/x.py folder."""

import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

source, folder = Path(sys.argv[1]), Path(sys.argv[2])
started = time.perf_counter()
notebook = jupytext.read(source)
NotebookClient(
    notebook, timeout=1500, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
).execute()
nbformat.write(notebook, folder / f"{source.stem}.ipynb")
print(f"{source}: {time.perf_counter() - started:.0f} s")
