"""Tables of every kind, good and bad: files, dataframes, and xarray datasets."""

from __future__ import annotations

import csv
import gzip
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from bayeslaw.data.curves import curves_in
from bayeslaw.data.runs import read_runs, response_values
from bayeslaw.errors import RunsError

SIZES = st.floats(1e-3, 1e24)
LOSSES = st.floats(1e-6, 1e3)
LABELS = st.text("abcxyz _-", min_size=1, max_size=6).map(lambda text: f"g{text}")


def write_csv(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "runs.csv", index=False)
    return folder / "runs.csv"


def write_csv_gz(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "runs.v1.CSV.GZ", index=False, compression="gzip")
    return folder / "runs.v1.CSV.GZ"


def write_parquet(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_parquet(folder / "runs.parquet")
    return folder / "runs.parquet"


def write_json_lines(frame: pd.DataFrame, folder: Path) -> Path:
    lines = [json.dumps(record) for record in frame.to_dict("records")]
    (folder / "runs.jsonl").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return folder / "runs.jsonl"


def write_tsv(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "runs.tsv", index=False, sep="\t", quoting=csv.QUOTE_ALL)
    return folder / "runs.tsv"


def write_json(frame: pd.DataFrame, folder: Path) -> Path:
    text = json.dumps(frame.to_dict("records"), indent=2)
    (folder / "runs.json").write_text(text, encoding="utf-8-sig")
    return folder / "runs.json"


def write_ndjson(frame: pd.DataFrame, folder: Path) -> Path:
    return write_json_lines(frame, folder).rename(folder / "runs.ndjson")


FORMS = {
    "csv": write_csv,
    "csv.gz": write_csv_gz,
    "tsv": write_tsv,
    "json": write_json,
    "parquet": write_parquet,
    "jsonl": write_json_lines,
    "ndjson": write_ndjson,
    "text path": lambda frame, folder: str(write_csv(frame, folder)),
    "polars": lambda frame, folder: pl.from_pandas(frame),
    "pyarrow": lambda frame, folder: pa.Table.from_pandas(frame),
    "xarray": lambda frame, folder: frame.rename_axis("run").to_xarray(),
    "categories": lambda frame, folder: frame.astype({"date": "category"}),
    "text numbers": lambda frame, folder: frame.assign(params=frame["params"].map(repr)),
    "nullable": lambda frame, folder: frame.convert_dtypes(),
}


ROWS = st.lists(
    st.tuples(SIZES, LOSSES, LABELS, st.integers(1, 10**9), st.booleans()),
    min_size=2,
    max_size=6,
    unique_by=(lambda row: row[1], lambda row: row[2], lambda row: row[3]),
)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=10, deadline=None)
@given(rows=ROWS)
def test_every_kind_of_table_gives_the_same_runs(form, rows, tmp_path_factory):
    frame = pd.DataFrame(rows, columns=["params", "loss", "date", "width", "held_out"])
    arguments = {"predictors": {"N": "params"}, "groups": ["date", "width"], "run_id": "width"}
    source = FORMS[form](frame, tmp_path_factory.mktemp("table"))
    runs = read_runs(source, **arguments)
    xr.testing.assert_identical(runs, read_runs(frame, **arguments))
    assert response_values(runs).values.tolist() == [row[1] for row in rows]


TEXTS = [
    ["1.1", "1.10", "1.2"],
    ["01", "001", "1"],
    ["12e3", "12000", "12000.0", "+12000"],
    ["True", "true", "TRUE"],
    ["0x1", "1_0", "10"],
    [" a", "a", "a "],
    ["None", "NA", "null", "N/A"],
    ["9007199254740992", "9007199254740993", str(2**70), str(2**70 + 1)],
    ["2024-01-01", "2024-1-1"],
    ["a\u2028b", "a\u0085b", "a\x0bb", "a\nb", "a\rb", "a\r\nb"],
    ['"a"', 'a"', "a,b", "a\tb", "[a]", "{}"],
    ["é", "e\u0301", "\ufeffe"],
]
NUMBERS = ["1.1", "1.10", "1.100", "11e-1", "0.11E1", "1", "1.0", "-0", "0"]


def rows_of(texts: list[str]) -> pd.DataFrame:
    """Rows that are copies of each other, but for a group."""
    return pd.DataFrame({"params": "1e6", "loss": "3", "g": texts})


def write_csv_by_hand(frame: pd.DataFrame, folder: Path) -> Path:
    lines = [
        ",".join(f'"{cell.replace(QUOTE, 2 * QUOTE)}"' for cell in row) for row in frame.values
    ]
    text = "\n".join(["params,loss,g", *lines])
    (folder / "runs.csv").write_text(text, encoding="utf-8", newline="")
    return folder / "runs.csv"


QUOTE = '"'
TEXT_FORMS = {
    **{form: FORMS[form] for form in ("tsv", "json", "parquet", "jsonl", "polars", "xarray")},
    "csv": write_csv_by_hand,
    "pandas": lambda frame, folder: frame,
}


@pytest.mark.parametrize("form", TEXT_FORMS)
@pytest.mark.parametrize("texts", TEXTS, ids=lambda texts: texts[0])
def test_levels_that_are_written_differently_are_different(texts, form, tmp_path):
    """Nothing is merged, and no row is dropped as the copy of another."""
    source = TEXT_FORMS[form](rows_of(texts), tmp_path)
    runs = read_runs(source, predictors={"N": "params"}, groups=["g"])
    assert runs["g"].values.tolist() == texts
    assert curves_in(runs).sizes["curve"] == len(texts)


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.json", "runs.csv"])
def test_numbers_in_text_files_are_levels_as_written(name, tmp_path):
    path = tmp_path / name
    records = [f'{{"N": 1e6, "loss": 3, "g": {number}}}' for number in NUMBERS]
    content = {
        "runs.jsonl": "\r\n".join(records),
        "runs.json": f"[{','.join(records)}]",
        "runs.csv": "\n".join(["N,loss,g", *(f"1e6,3,{number}" for number in NUMBERS)]),
    }
    path.write_text(content[name], encoding="utf-8", newline="")
    runs = read_runs(path, predictors=["N"], groups=["g"])
    assert runs["g"].values.tolist() == NUMBERS


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (np.array([0.1, 1.0, 1e-7], dtype="float32"), ["0.1", "1", "1e-07"]),
        (np.array([0.1, 2.0, 1e22]), ["0.1", "2", "1e+22"]),
        (np.array([2**63, 1, 2**64 - 1], dtype="uint64"), [str(2**63), "1", str(2**64 - 1)]),
        ([Decimal("1.10"), Decimal("1.1"), Decimal("1")], ["1.10", "1.1", "1"]),
    ],
)
def test_numbers_of_a_dataframe_are_their_shortest_text(values, labels):
    frame = pd.DataFrame({"N": 1e6, "loss": 3.0, "g": values})
    assert read_runs(frame, predictors=["N"], groups=["g"])["g"].values.tolist() == labels


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["7", "3"], [7, 3]),
        (["07", "7"], ["07", "7"]),
        (["7", "x"], ["7", "x"]),
        ([str(2**63), "1"], [str(2**63), "1"]),
        ([str(2**63 - 1), str(-(2**63))], [2**63 - 1, -(2**63)]),
        ([str(10**30), "1"], [str(10**30), "1"]),
        (["-0", "0"], ["-0", "0"]),
    ],
)
@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_ids_in_text_files_are_numbers_if_that_changes_nothing(ids, expected, form, tmp_path):
    frame = pd.DataFrame({"N": ["1e6", "1e7"], "loss": ["3", "2"], "id": ids})
    runs = read_runs(FORMS[form](frame, tmp_path), predictors=["N"], run_id="id")
    assert runs["run"].values.tolist() == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("true,3,a,1", "column 'N', line 4 of '{path}': 'true' is not a number"),
        ("1_000,3,a,1", "column 'N', line 4 of '{path}': '1_000' is not a number"),
        ("\u0661,3,a,1", "column 'N', line 4 of '{path}': '\u0661' is not a number"),
        ("1e400,3,a,1", "column 'N', line 4 of '{path}': '1e400' is not finite"),
        (
            f"{'9' * 400},3,a,1",
            f"column 'N', line 4 of '{{path}}': '{'9' * 37}...{'9' * 38}' is not finite",
        ),
        ("1,-3,a,1", "column 'loss', line 4 of '{path}': -3 is not positive: *"),
        ("1,nan,a,1", "column 'loss', line 4 of '{path}': 'nan' is a missing value: *"),
        ("1,3,,1", "column 'g', line 4 of '{path}': '' is a missing value: *"),
        (
            "1,3,a\0,1",
            "column 'g', line 4 of '{path}': 'a\\x00' has the character '\\x00', which files "
            "cannot hold",
        ),
        (
            "1,3,a,0",
            "column 'id': '0' names line 2 of '{path}', line 4 of '{path}'; a run's name must be "
            "unique",
        ),
    ],
)
def test_bad_cells_of_a_file_are_found_by_line(line, message, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(f"N,loss,g,id\n1,2,a,0\n\n{line}\n", encoding="utf-8")
    with pytest.raises(RunsError) as caught:
        read_runs(path, predictors=["N"], groups=["g"], run_id="id")
    expected, error = message.format(path=path), str(caught.value)
    assert error == expected or (expected.endswith("*") and error.startswith(expected[:-1]))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('{"N": true, "loss": 3, "g": "a"}', "column 'N', line 1 of '{path}': 'true' is not *"),
        ('{"N": [1], "loss": 3, "g": "a"}', "column 'N', line 1 of '{path}': ['1'] is not *"),
        ('{"N": 1, "loss": 3, "g": {}}', "column 'g', line 1 of '{path}': {{}} is neither text *"),
        ('{"N": 1, "loss": 3, "g": null}', "column 'g', line 1 of '{path}': None is a missing *"),
        ('{"N": 1, "loss": 3, "g": "\\ud800"}', "column 'g', line 1 of '{path}': '\\ud800' has *"),
    ],
)
def test_bad_values_of_json_are_found_by_line(record, message, tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text(record, encoding="utf-8")
    with pytest.raises(RunsError) as caught:
        read_runs(path, predictors=["N"], groups=["g"])
    assert str(caught.value).startswith(message.format(path=path)[:-1])


def test_labels_of_a_csv_file_stay_as_written(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,loss,task,note\n1e6,0.1,None,\n7e6,0.30000000000000004,NA,x\n")
    runs = read_runs(path, predictors=["N"], groups=["task"])
    assert runs["task"].values.tolist() == ["None", "NA"]
    assert response_values(runs).values.tolist() == [0.1, 0.1 + 0.2]


def test_a_file_that_is_not_there_has_a_similar_name(tmp_path):
    (tmp_path / "mine.csv").write_text("N,loss\n1e6,0.1\n")
    with pytest.raises(RunsError, match=r"no file '.*mine\.cvs'; did you mean 'mine\.csv'\?$"):
        read_runs(tmp_path / "mine.cvs", predictors=["N"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("runs.csv", None, "there is no file '{path}'"),
        ("nowhere/runs.csv", None, "there is no file '{path}'"),
        ("runs.cvs", None, "there is no file '{path}'"),
        (
            "runs.xlsx",
            b"",
            "'{path}' does not end in one of .csv, .csv.gz, .tsv, .parquet, .jsonl, .ndjson, .json",
        ),
        (
            "runs.csv",
            b"\n \n",
            "cannot read '{path}': the file is empty; its first line should name the columns",
        ),
        ("runs.csv", b"N,loss\n", "the table has no rows"),
        *(
            ("runs.csv", content, f"cannot read '{{path}}': {message}")
            for content, message in [
                (
                    b"N,loss\n0,1,2\n1,3,4\n",
                    "line 2 has 3 cells, and the first line names 2 columns",
                ),
                (
                    b'N,loss\n\n1,"2\n"\n1\n',
                    "line 5 has 1 cells, and the first line names 2 columns",
                ),
                (b'N,loss\n1,2\n1,"3\n', "line 3: unexpected end of data"),
                (b'N,loss\n1,"2"3\n', "line 2: ',' expected after '\"'"),
                (b"N,loss\n1,\xe92\n", "byte 0xe9 is not UTF-8; save it as UTF-8"),
                (
                    b"N,loss,N\n1,2,3\n",
                    "the table has 2 columns called 'N', numbers 1, 3: rename all but one",
                ),
                (
                    b"N,loss,,\n1,2,,\n",
                    "the table has 2 columns called '', numbers 3, 4: rename all but one",
                ),
            ]
        ),
        ("runs.csv.gz", b"N,loss\n", "cannot read '{path}': Not a gzipped file (b'N,')"),
        ("runs.csv.gz", gzip.compress(b"N,loss\n1,2\n", mtime=0)[:-9], "cannot read '{path}': *"),
        ("runs.parquet", b"N,loss\n", "cannot read '{path}': *"),
        (
            "runs.jsonl",
            b'{"N": 1, "loss": 2}\n{"N": 1\n',
            "cannot read '{path}': line 2 is not JSON: Expecting ',' delimiter at character 7",
        ),
        ("runs.jsonl", b"", "the table has no rows"),
        ("runs.json", b"[]", "the table has no rows"),
        (
            "runs.json",
            b'{"N": 1}',
            "cannot read '{path}': it holds {{'N': '1'}}, and a table is a list of records",
        ),
        ("runs.json", b"[1]", "cannot read '{path}': item 0 is '1', and should be like *"),
        (
            "runs.jsonl",
            b'{"N": 1, "loss": 2, "N": 3}',
            "cannot read '{path}': a key is given twice in ['N', 'loss', 'N']",
        ),
        *(
            (
                "runs.jsonl",
                b'{"N": 1, "loss": 2}\n\n' + line,
                f"cannot read '{{path}}': line 3 is {line.decode()!r}, and should be like "
                '{{"N": 1e9, "loss": 2.5}}',
            )
            for line in (b"1", b"null", b"true", b"NaN", b'"N"', b"[]", b'[["N", 1]]')
        ),
        (
            "runs.jsonl",
            b'{"N": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "cannot read '{path}': line 1 is nested too deeply",
        ),
    ],
)
def test_bad_files_are_named(name, content, message, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunsError) as caught:
        read_runs(path, predictors=["N"])
    expected = message.format(path=path)
    error = str(caught.value)
    assert error == expected or (expected.endswith("*") and error.startswith(expected[:-1]))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            [1, 2],
            "a table is a path, a dataframe in memory or an xarray.Dataset: "
            "Unsupported dataframe type, got: <class 'list'>",
        ),
        (
            pl.LazyFrame({"N": [1]}),
            "a table is a path, a dataframe in memory or an xarray.Dataset: *",
        ),
        (
            pd.DataFrame([[1, 2]]),
            "column 'loss' is not in the table. It has: 0, 1; response=COLUMN says which is the "
            "response",
        ),
        (
            pd.DataFrame([[1, 2]], columns=["N", "N"]),
            "the table has 2 columns called 'N', numbers 1, 2: rename all but one",
        ),
        (
            pa.Table.from_arrays([[1], [2]], names=["N", "N"]),
            "a table is a path, a dataframe in memory or an xarray.Dataset: Expected unique column "
            "names, got:\n- 'N' 2 times",
        ),
        (
            pd.DataFrame([[1, 2]], columns=[0, "0"]),
            "the table has 2 columns called '0', numbers 1, 2: rename all but one",
        ),
        *(
            (dataset, "the dataset has no dimension, so it has no rows")
            for dataset in (xr.Dataset(), xr.Dataset({"N": 1e6, "loss": 3.0}))
        ),
        (xr.Dataset({"N": ("run", [])}), "the table has no rows"),
    ],
)
def test_other_objects_are_not_tables(source, message):
    with pytest.raises(RunsError) as caught:
        read_runs(source, predictors=["N"])
    error = str(caught.value)
    assert error == message or (message.endswith("*") and error.startswith(message[:-1]))
