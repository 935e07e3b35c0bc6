"""Tables that are damaged at random: an error of the package, or exactly what is written.

`HYPOTHESIS_EXAMPLES=5000` runs as many examples of each test.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayeslaw import cli
from bayeslaw.data.runs import read_runs
from bayeslaw.errors import RunsError

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "25"))
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ODD_TEXTS = st.sampled_from(
    ["1", "1.0", "1.10", "01", "1e3", "1000", "true", "True", "NA", "null", "nan", "inf", "-0",
     "0x1", "1_0", " a", "a ", "a", "a\0", "\ufeffa", "a\u2028b", "a\x85b", "\x1b[0m", "[red]",
     'q"q', "c,c", "t\tt", "n\nn", "r\rr", "9" * 400, "9007199254740993", "curve", "é", "e\u0301",
     "\u0661"]
)  # fmt: skip
TEXTS = ODD_TEXTS | st.text(max_size=4)
ODD_NUMBERS = st.sampled_from(
    ["0", "-1", "1e400", "1e-400", "nan", "inf", "true", "", "1_000", "\u0661", "9" * 400, "5e-324"]
)
NUMBERS = st.floats(1e-300, 1e300).map(repr)
CELLS = st.tuples(NUMBERS | NUMBERS | NUMBERS | ODD_NUMBERS, NUMBERS, TEXTS)
ROWS = st.lists(CELLS, min_size=1, max_size=6)
HEADERS = st.sampled_from(
    [["N", "loss", "g"]] * 6 + [["N", "loss", "N"], ["N", "N.1", "g"], ["N", "", ""]]
)
BYTES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=2)


def write_csv(header: list[str], rows: list[Any], end: str, quoting: Any) -> str:
    stream = io.StringIO()
    if any("\r" in cell for row in rows for cell in row):  # which Python does not always quote
        quoting = csv.QUOTE_ALL
    writer = csv.writer(stream, lineterminator=end, quoting=quoting)
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


CSV_TEXTS = st.builds(
    write_csv,
    HEADERS,
    ROWS,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)


def write_json_lines(rows: list[Any], is_text: bool, is_ascii: bool) -> str:
    lines = []
    for n, loss, label in rows:
        g = json.dumps(label, ensure_ascii=is_ascii) if is_text or not is_number(label) else label
        size = json.dumps(n) if not is_number(n) else n
        lines.append(f'{{"N": {size}, "loss": {loss}, "g": {g}}}')
    return "\n".join(lines)


def is_number(text: str) -> bool:
    """Whether a text is a number of JSON, which `json` would read."""
    return re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", text, re.ASCII) is not None


JSON_TEXTS = st.builds(write_json_lines, ROWS, st.booleans(), st.booleans())
ODD_LINES = st.sampled_from(
    ["", "1", "null", "true", "[]", "{}", '{"N": 1, "N": 2}', "{" * 9, "[" * 5000, "NaN", '"x"']
)


def damaged(text: str, marks: str, changes: list[tuple[int, int]]) -> bytes:
    """The bytes of a text after marks, some of them replaced."""
    content = bytearray((marks + text).encode("utf-8", "surrogatepass"))
    for position, value in changes:
        if position < len(content):
            content[position] = value
    return bytes(content)


DAMAGED_CSV = st.builds(damaged, CSV_TEXTS, st.sampled_from(["", "", "\ufeff", "\n"]), BYTES)
DAMAGED_JSON = st.builds(
    lambda text, line, *rest: damaged(f"{text}\n{line}", *rest),
    JSON_TEXTS,
    ODD_LINES | st.just(""),
    st.sampled_from(["", "\ufeff"]),
    BYTES,
)


def levels(path: Path) -> list[str] | None:
    """Levels of the group, or None for an error of the package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_runs(path, predictors=["N"], groups=["g"])["g"].values.tolist()
        except RunsError:
            return None


def require_all_levels(path: Path, rows: list[Any]) -> None:
    """Tables that are as they should be are read, with all their levels."""
    found = levels(path)
    is_good = all(is_size(n) and is_label(label) for n, _, label in rows)
    assert (found is not None) == is_good
    assert found is None or {*found} == {label for _, _, label in rows}


def is_size(text: str) -> bool:
    """Whether a text is a positive number."""
    match = re.fullmatch(r"\d+(\.\d+)?(e[-+]?\d+)?", text, re.ASCII)
    return match is not None and 0 < float(text) < float("inf")


def is_label(text: str) -> bool:
    """Whether a text is a label."""
    return "\0" not in text and text.strip() not in ("", "nan", "NaN", "NaT", "<NA>")


@many
@given(rows=ROWS, end=st.sampled_from(["\n", "\r\n"]), quoting=st.sampled_from([0, 1]))
def test_every_level_of_a_csv_file_is_read_or_refused(rows, end, quoting, tmp_path):
    path = tmp_path / "runs.csv"
    text = write_csv(["N", "loss", "g"], rows, end, quoting)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    require_all_levels(path, rows)


@many
@given(rows=ROWS, is_text=st.booleans(), is_ascii=st.booleans())
def test_every_level_of_a_json_file_is_read_or_refused(rows, is_text, is_ascii, tmp_path):
    path = tmp_path / "runs.jsonl"
    text = write_json_lines(rows, is_text, is_ascii)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    require_all_levels(path, rows)


@pytest.mark.parametrize("name", ["runs.csv", "runs.tsv"])
@many
@given(content=DAMAGED_CSV)
def test_a_damaged_csv_file_is_read_or_refused(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    levels(tmp_path / name)


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.json"])
@many
@given(content=DAMAGED_JSON)
def test_a_damaged_json_file_is_read_or_refused(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    levels(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "contents"), [("runs.csv", DAMAGED_CSV), ("runs.jsonl", DAMAGED_JSON)]
)
@settings(many, max_examples=max(EXAMPLES // 2, 10))
@given(data=st.data())
def test_check_is_right_or_says_what_is_wrong(name, contents, data, tmp_path, capsys):
    """Exit code 0 or 2, one line of error, no control character, nothing called a bug."""
    (tmp_path / name).write_bytes(data.draw(contents))
    code = cli.run(["check", str(tmp_path / name), "--predictor", "N", "--group", "g"])
    out, err = capsys.readouterr()
    assert code in (0, 2)
    errors = [line for line in err.splitlines() if not line.startswith("note: ")]
    assert len(errors) == (code == 2)
    assert "bug" not in err
    assert not {each for each in out + err if not each.isprintable()} - {"\n"}
