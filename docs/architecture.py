"""Draw the diagram of the packages from their imports: python docs/architecture.py.

Boxes are the packages and top-level files of ``src/bayeslaw``, above all that they import.
Lines are imports, reduced transitively.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple

__all__ = ["DIAGRAM", "diagram"]

SOURCE = Path(__file__).parents[1] / "src" / "bayeslaw"
DIAGRAM = Path(__file__).parent / "_static" / "architecture.svg"
EXCLUDED = {"__init__", "__main__"}
WIDTH, HEIGHT, GAP, RISE = 250, 60, 16, 30  # of a box, between boxes, between layers; pixels
INK, PALE, ACCENT = "#222", "#bbb", "#f5f3ee"

type Edges = set[tuple[str, str]]


class Box(NamedTuple):
    """A package or a top-level file: name, first line of its docstring, number of modules."""

    name: str
    about: str
    modules: int


def diagram(source: Path = SOURCE) -> str:
    """The diagram as SVG."""
    boxes = {box.name: box for box in _boxes(source)}
    edges = {(a, b) for a, b in _imports(source) if a != b and {a, b} <= boxes.keys()}
    layers = _layers(boxes, edges)
    return _svg(boxes, _reduced(edges), layers)


def _boxes(source: Path) -> Iterator[Box]:
    for path in sorted(source.iterdir()):
        init = path / "__init__.py"
        if init.is_file():
            yield Box(path.name, _about(init), sum(1 for _ in path.rglob("*.py")))
        elif path.suffix == ".py" and path.stem not in EXCLUDED:
            yield Box(path.stem, _about(path), 1)


def _about(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]


def _imports(source: Path) -> Iterator[tuple[str, str]]:
    """Pairs of boxes: importer and imported, without imports for type checking only."""
    for path in sorted(source.rglob("*.py")):
        importer = path.relative_to(source).parts[0].removesuffix(".py")
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(_without_type_checking(tree)):
            if isinstance(node, ast.ImportFrom) and node.module == source.name:
                yield from ((importer, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(source.name):
                yield importer, (node.module or "").split(".")[1]


def _without_type_checking(tree: ast.Module) -> ast.Module:
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")
    ]
    return tree


def _layers(boxes: Mapping[str, Box], edges: Edges) -> dict[str, int]:
    """The layer of each box: one above the highest that it imports."""
    layers = dict.fromkeys(boxes, 0)
    for _ in boxes:
        for above, below in edges:
            layers[above] = max(layers[above], layers[below] + 1)
    if any(layers[above] <= layers[below] for above, below in edges):
        raise ValueError("the packages import each other in a circle")
    return layers


def _reduced(edges: Edges) -> Edges:
    """Transitive reduction: the edges that no path of other edges implies."""
    below: dict[str, set[str]] = {}
    for a, b in edges:
        below.setdefault(a, set()).add(b)

    def reach(name: str) -> set[str]:
        direct = below.get(name, set())
        return direct.union(*(reach(each) for each in direct))

    return {(a, b) for a, b in edges if not any(b in reach(c) for c in below[a] - {b})}


def _svg(boxes: Mapping[str, Box], edges: Edges, layers: Mapping[str, int]) -> str:
    levels = range(max(layers.values()), -1, -1)
    rows = [[name for name in boxes if layers[name] == level] for level in levels]
    width = max(map(len, rows)) * (WIDTH + GAP) + GAP
    at: dict[str, tuple[float, float]] = {}
    for i, row in enumerate(rows):
        left = (width - len(row) * (WIDTH + GAP) + GAP) / 2
        for j, name in enumerate(row):
            at[name] = left + j * (WIDTH + GAP), GAP + i * (HEIGHT + RISE)
    height = len(rows) * (HEIGHT + RISE)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    lines = [_line(at[above], at[below]) for above, below in sorted(edges)]
    shapes = [_shape(box, *at[name]) for name, box in boxes.items()]
    style = 'font-family="sans-serif" font-size="10"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>'
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, ground, *lines, *shapes, "</svg>\n"])


def _line(above: tuple[float, float], below: tuple[float, float]) -> str:
    x1, y1, x2, y2 = above[0] + WIDTH / 2, above[1] + HEIGHT, below[0] + WIDTH / 2, below[1]
    middle = (y1 + y2) / 2
    path = f"M{x1:g},{y1:g} C{x1:g},{middle:g} {x2:g},{middle:g} {x2:g},{y2:g}"
    return f'<path d="{path}" fill="none" stroke="{PALE}"/>'


def _shape(box: Box, x: float, y: float) -> str:
    frame = f'width="{WIDTH}" height="{HEIGHT}" rx="4" fill="{ACCENT}" stroke="{INK}"'
    files = f"{box.modules} files" if box.modules > 1 else "1 file"
    name = f'<tspan font-weight="bold" font-size="13">{box.name}</tspan>'
    lines = textwrap.wrap(box.about.rstrip("."), 45, max_lines=2, placeholder=" ...")
    rows = [f'{name} <tspan fill="#777">{files}</tspan>', *map(escape, lines)]
    texts = [
        f'<text x="{x + 10:g}" y="{y + 18 + 16 * i:g}" fill="{INK}">{row}</text>'
        for i, row in enumerate(rows)
    ]
    return "\n".join([f'<rect x="{x:g}" y="{y:g}" {frame}/>', *texts])


if __name__ == "__main__":
    DIAGRAM.write_text(diagram(), encoding="utf-8")
