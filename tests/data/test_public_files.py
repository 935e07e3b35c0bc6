"""Public data sets: their files are the right ones, and their traps are handled."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pooch
import pytest
import xarray as xr

import bayeslaw as bl
from bayeslaw.data import datasets
from bayeslaw.data import public_files as public
from bayeslaw.data.public_files import PublicFile
from bayeslaw.data.public_tables import TABLES
from bayeslaw.errors import FetchError

NAMES = datasets.names(public=True)
TOY = b"N,loss\n1e6,4.0\n1e8,3.0\n"
COMMIT = "c0ffee" + 34 * "0"

needs_data = pytest.mark.skipif(
    not os.environ.get("BAYESLAW_DATA"), reason="BAYESLAW_DATA names no folder of public data"
)

# Rows, held-out rows, and levels of each group, as the publications and our notes on them say.
SETS = {
    "chinchilla_epoch": (245, None, {}),
    "datablations": (308, None, {}),
    "datablations_curves": (9261 - 2 * 326, None, {"data": 2, "setting": 24}),
    "gzip_syntax": (5 * 6 * 5, None, {"language": 5}),
    "inference_time_accuracy": (19 - 8, None, {}),
    "inference_time_first_token": (1560 - 651 - 156, None, {"architecture": 2}),
    "inference_time_step": (1560 - 670 - 152, None, {"architecture": 2}),
    "lcdb11": (13313 - 4, None, {"task": 72, "learner": 12}),
    "llm_families": ((148 - 25) * 8 - 21, None, {"benchmark": 8, "family": 39}),
    "loss_to_loss": ((529 + 6) * 8, 6 * 8, {"train_set": 6, "validation_set": 8}),
    "loss_to_loss_downstream": ((529 + 6) * 19, 6 * 19, {"train_set": 6, "task": 19}),
    "misfitting": (261 - 8, None, {}),
    "misfitting_checkpoints": (4852 - 9, None, {}),
    "nslpfn_extra_colpret": (35876 - 688, 17889 - 346, {"model": 192}),
    "nslpfn_extra_double_descent": (929 - 2, 462 - 1, {"setting": 16}),
    "nslpfn_extra_nanogpt": (24 * 7, 24, {"setting": 12, "measure": 2}),
    "porian_isoflop": (940, None, {"corpus": 2, "recipe": 4}),
    "porian_isoflop_counts": (1745, None, {"corpus": 2, "recipe": 5, "counting": 3}),
    "pythia_steps": (8 * 2 * (27 - 1), None, {"corpus": 2}),
    "revisiting_nsl": (
        18883 + 1399 - 687,
        14981 + 5 + 97 + 240,
        {"domain": 4, "task": 24, "model": 17},
    ),
    "revisiting_nsl_bb": (430, 240, {"task": 10}),
    "revisiting_nsl_ic": (18883, 14981, {"task": 12, "model": 6}),
    "revisiting_nsl_lm": (916 - 687, 97, {"model": 5}),
    "revisiting_nsl_nmt": (53, 5, {"model": 5}),
    "routed_lm": (5799 - 223 - 8, None, {"router": 4}),
    "routed_lm_final": (223, None, {"router": 4}),
    "steplaw": (1911, None, {}),
    "steplaw_best": (17, None, {}),
    "steplaw_moe": (708, None, {}),
}

UNCHANGED = {
    "base_llm_benchmark_eval.csv",
    "benchmark.lang.csv",
    "benchmark.vision.csv",
    "cc18_datasets.csv",
    "curves.csv.gz",
    "last_checkpoints.csv",
    "published_fits.csv",
    "svg_extracted_data.csv",
}


@cache
def table(name: str) -> pd.DataFrame:
    return datasets.table(name)


@cache
def load(name: str) -> xr.Dataset:
    return datasets.load(name)


def files_of(name: str) -> dict[str, dict[str, Any]]:
    return datasets.info(name).provenance["files"]


def raw(name: str, file: str) -> pd.DataFrame:
    return pd.read_csv(datasets.fetch(name, [file])[file])


# What is known without the files


def test_every_set_has_a_reader_and_is_tested() -> None:
    assert sorted(NAMES) == sorted(TABLES) == sorted(SETS)
    assert not set(NAMES) & set(datasets.names())


@pytest.mark.parametrize("name", NAMES)
def test_info(name: str) -> None:
    about = datasets.info(name)
    rows, held_out, groups = SETS[name]
    assert (about.name, about.rows, about.runs) == (name, rows, rows)
    assert list(about.groups) == list(groups)
    assert ("held_out" in about.columns) == (held_out is not None)
    named = {about.response, *about.predictors.values(), *about.groups, *about.coordinates}
    stderr = {about.stderr} - {None}
    assert named | stderr | ({"held_out"} & set(about.columns)) == set(about.columns)
    assert all([about.title, about.licence, *about.columns.values(), *about.notes])
    assert set(about.provenance) == {"citation", "read_from", "files"}
    assert about.provenance["citation"]
    assert set(about.provenance["read_from"]) <= set(files_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_files_are_tables_of_a_known_commit(name: str) -> None:
    for file, record in files_of(name).items():
        assert file.endswith((".csv", ".csv.gz"))
        assert re.fullmatch("[0-9a-f]{64}", record["sha256"])
        assert re.fullmatch("[0-9a-f]{40}", record["commit"])
        address = "/".join([record["repository"], record["commit"], record["path"]])
        unchanged = f"https://raw.githubusercontent.com/{address}"
        assert record["url"] == (unchanged if record["unchanged"] else None)
        assert record["unchanged"] == (file in UNCHANGED) or name.startswith("porian")


@pytest.mark.parametrize("function", [datasets.load, datasets.info, datasets.table, datasets.fetch])
@pytest.mark.parametrize(
    ("name", "nearest"), [("steplow", "steplaw"), ("nslpfn_extra", "nslpfn_extra_nanogpt")]
)
def test_unknown_name_suggests_a_public_one(
    function: Callable[[str], object], name: str, nearest: str
) -> None:
    with pytest.raises(ValueError, match=rf"unknown data set '{name}' \(did you mean '{nearest}'"):
        function(name)


def test_own_data_need_no_fetching() -> None:
    with pytest.raises(ValueError, match="'learners' comes with the package: there is nothing to"):
        datasets.fetch("learners")


# Files: from a folder, or downloaded


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[bool], None]:
    """Make a set "toy" the only public one, of a file that is unchanged or not; no data, no net."""
    monkeypatch.delenv("BAYESLAW_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(public, "HOST", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)

    def define(unchanged: bool) -> None:
        digest = hashlib.sha256(TOY).hexdigest()
        file = PublicFile("toy", "toy.csv", digest, "me/toys", COMMIT, "data/t.csv", unchanged)
        source = public._Source("toy", "", "", [], {"toy.csv": file}, {}, {"toy": _TABLE})
        monkeypatch.setattr(public, "_source_of", lambda: {"toy": source})

    return define


_TABLE = {"files": ["toy.csv"]}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("BAYESLAW_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "toy").mkdir(parents=True)
    return tmp_path / "data" / "toy"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A server that stands in for GitHub, and its file."""
    path = tmp_path / "server" / "me" / "toys" / COMMIT / "data" / "t.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(TOY)
    handler = partial(_Quiet, directory=str(tmp_path / "server"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        monkeypatch.setattr(public, "HOST", f"http://127.0.0.1:{web.server_port}")
        yield path
        web.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("unchanged", [True, False])
def test_a_file_in_the_folder_is_used(
    toy: Callable[[bool], None], folder: Path, unchanged: bool
) -> None:
    toy(unchanged)
    (folder / "toy.csv").write_bytes(TOY)
    assert datasets.fetch("toy") == {"toy.csv": folder / "toy.csv"}


@pytest.mark.parametrize("unchanged", [True, False])
def test_a_tampered_file_is_refused(
    toy: Callable[[bool], None], folder: Path, unchanged: bool
) -> None:
    toy(unchanged)
    tampered = TOY.replace(b"4", b"5")
    (folder / "toy.csv").write_bytes(tampered)
    actual, expected = (hashlib.sha256(content).hexdigest() for content in (tampered, TOY))
    with pytest.raises(FetchError, match=f"toy.csv' .* is {actual}, expected {expected}$"):
        datasets.fetch("toy")


@pytest.mark.parametrize("given", [False, True])
def test_a_converted_file_that_is_not_there(
    toy: Callable[[bool], None], request: pytest.FixtureRequest, given: bool
) -> None:
    toy(False)
    state = "is not set"
    if given:
        folder = request.getfixturevalue("folder")
        state = f"is {str(folder.parent)!r}, where {str(folder / 'toy.csv')!r} is missing"
    sentence = (
        f"data set 'toy' needs 'toy.csv', and BAYESLAW_DATA {state}; put the file at "
        "$BAYESLAW_DATA/toy/toy.csv, with BAYESLAW_DATA an environment variable that names a "
        "folder: it cannot be downloaded, because it was made from data/t.csv of "
        f"https://github.com/me/toys at commit {COMMIT}"
    )
    with pytest.raises(FetchError, match=f"^{re.escape(sentence)}$"):
        datasets.fetch("toy")


def test_a_folder_that_is_not_there(
    toy: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy(True)
    monkeypatch.setenv("BAYESLAW_DATA", "/nowhere")
    with pytest.raises(FetchError, match="BAYESLAW_DATA is '/nowhere', and there is no such"):
        datasets.fetch("toy")


def test_an_unchanged_file_is_downloaded_once(
    toy: Callable[[bool], None], server: Path, tmp_path: Path
) -> None:
    toy(True)
    path = tmp_path / "cache" / "bayeslaw" / "toy" / "toy.csv"
    assert datasets.fetch("toy") == {"toy.csv": path}
    assert path.read_bytes() == TOY
    server.unlink()
    assert datasets.fetch("toy") == {"toy.csv": path}


def test_a_download_with_another_hash_is_refused(
    toy: Callable[[bool], None], server: Path, tmp_path: Path
) -> None:
    toy(True)
    server.write_bytes(b"another")
    sentence = (
        rf"{public.HOST}/me/toys/{COMMIT}/data/t.csv returned a different file, and BAYESLAW_"
    )
    with pytest.raises(FetchError, match=sentence):
        datasets.fetch("toy")
    assert not list((tmp_path / "cache").rglob("*.csv"))


@pytest.mark.parametrize("fault", ["ConnectionError", "HTTPError"])
def test_offline(toy: Callable[[bool], None], request: pytest.FixtureRequest, fault: str) -> None:
    toy(True)
    if fault == "HTTPError":
        request.getfixturevalue("server").unlink()
    sentence = (
        f"cannot download {public.HOST}/me/toys/{COMMIT}/data/t.csv ({fault}), and BAYESLAW_DATA "
        "is not set; put the file at $BAYESLAW_DATA/toy/toy.csv instead, with BAYESLAW_DATA an "
        "environment variable that names a folder"
    )
    with pytest.raises(FetchError, match=f"^{re.escape(sentence)}$"):
        datasets.fetch("toy")


def test_offline_with_a_folder_that_lacks_the_file(
    toy: Callable[[bool], None], folder: Path
) -> None:
    toy(True)
    state = f"is {str(folder.parent)!r}, where {str(folder / 'toy.csv')!r} is missing; put"
    with pytest.raises(
        FetchError, match=re.escape(f"(ConnectionError), and BAYESLAW_DATA {state}")
    ):
        datasets.fetch("toy")


def test_without_pooch(toy: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch) -> None:
    toy(True)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"install pooch: pip install bayeslaw\[data\]$"):
        datasets.fetch("toy")


def test_an_unknown_file(toy: Callable[[bool], None]) -> None:
    toy(True)
    with pytest.raises(FetchError, match=r"^data set 'toy' has no file 'x'; there are: toy.csv$"):
        datasets.fetch("toy", ["x"])
    with pytest.raises(ValueError, match=r"^files takes a list, got 'x'; write \['x'\]$"):
        datasets.fetch("toy", "x")


# The real files


@needs_data
def test_every_file_has_its_hash() -> None:
    for name in NAMES:
        assert list(datasets.fetch(name, [*files_of(name)])) == [*files_of(name)]


@needs_data
@pytest.mark.parametrize("name", NAMES)
def test_load(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle, "load", None)  # nothing that is public is worth running code for
    about, rows, runs = datasets.info(name), table(name), load(name)
    number, held_out, groups = SETS[name]
    bl.check_runs(runs)
    assert runs.sizes["run"] == len(rows) == number
    assert list(rows.columns) == list(about.columns)
    assert rows.notna().all(axis=None)
    assert {group: np.unique(runs[group]).size for group in about.groups} == groups
    assert runs.attrs["notes"] == [*about.notes]
    assert runs.attrs["predictors"] == [*about.predictors]
    assert ("stderr" in runs) == (about.stderr is not None)
    assert {*about.coordinates} <= {*runs.coords}
    assert (int(runs["held_out"].sum()) if "held_out" in runs.coords else None) == held_out


@needs_data
@pytest.mark.parametrize("name", NAMES)
def test_runs_survive_a_file(name: str, tmp_path: Path) -> None:
    runs = load(name).isel(run=slice(0, 50))
    fit = bl.Fit(bl.Model(bl.laws.power.of(runs.attrs["predictors"][0])), runs, xr.DataTree())
    xr.testing.assert_identical(bl.load(bl.save(fit, tmp_path / "fit.nc")).runs, runs)


@needs_data
def test_chinchilla_marks_the_five_largest_losses() -> None:
    rows = table("chinchilla_epoch")
    assert rows["kept"].sum() == 240
    assert rows.loc[~rows["kept"], "loss"].min() > rows.loc[rows["kept"], "loss"].max()
    np.testing.assert_allclose(6 * rows["N"] * rows["D"], rows["C"])


@needs_data
def test_datablations_has_replicates_and_a_corrected_run() -> None:
    rows = table("datablations").set_index("name")
    cells = rows.groupby(["N", "D", "U", "variant"])["seed"].agg(["size", "nunique"])
    assert cells["size"].value_counts().to_dict() == {1: 228, 5: 16}
    assert (cells["size"] == cells["nunique"]).all()
    corrected = rows.loc["4b284b12bc4opt2"]
    assert (corrected["D"], corrected["U"], corrected["in_published_fit"]) == (84e9, 12e9, False)
    assert rows["in_published_fit"].sum() == 182
    assert rows["variant"].value_counts().to_dict() == {"plain": 294, "dedup": 12, "opt": 2}
    assert rows.loc["83m32b100m", "loss"] == rows.loc["83m60b100m", "loss"]


@needs_data
def test_datablations_curves_are_not_copies() -> None:
    curves = [
        tuple(curve["loss"])
        for _, curve in table("datablations_curves").groupby(["data", "setting"])
    ]
    assert len(curves) == len(set(curves)) == 46


@needs_data
def test_gzip_syntax_is_a_full_grid_without_standard_errors() -> None:
    cells = table("gzip_syntax").groupby("language")[["N", "D", "gzip_ratio"]].nunique()
    assert cells.to_numpy().tolist() == 5 * [[6, 5, 1]]


@needs_data
def test_inference_accuracy_counts_no_answer_twice() -> None:
    rows, runs = table("inference_time_accuracy"), load("inference_time_accuracy")
    assert rows["method"].value_counts().to_dict() == {"single": 8, "vote": 3}
    assert rows.loc[rows["method"] == "single", "token_limit"].max() == 2048
    np.testing.assert_allclose(runs["accuracy_shortfall"], 1 - rows["accuracy"])
    p = runs["accuracy_shortfall"]
    np.testing.assert_allclose(runs["stderr"] ** 2, p * (1 - p) / 30)


@needs_data
@pytest.mark.parametrize("name", ["inference_time_first_token", "inference_time_step"])
def test_latencies_were_measured(name: str) -> None:
    assert (table(name)[["milliseconds", "N", "batch", "context"]] > 0).all(axis=None)
    assert table(name).groupby("architecture")["N"].nunique().to_dict() == {"llama2": 6, "xlstm": 6}


@needs_data
def test_lcdb_standard_errors_are_at_least_their_rounding() -> None:
    rows = table("lcdb11")
    assert rows.groupby(["task", "learner"]).ngroups == 864
    assert (rows["error_stderr"] == 0.5e-4).sum() == 141
    assert rows["error_stderr"].nsmallest(142).iloc[-1] == pytest.approx(1e-4)
    assert (rows["error"] > 0).all()


@needs_data
def test_families_have_their_slips_mended() -> None:
    rows = table("llm_families").drop_duplicates("model").set_index("model")
    assert len(rows) == 123
    assert rows["D"].max() == 15e12
    assert rows.loc["cerebras/btlm-3b-8k-base", "D"] == 627e9
    assert rows.loc["openlm-research/open_llama_7b_v2", "N"] == 7e9
    np.testing.assert_allclose(rows["C"], 6 * rows["N"] * rows["D"])


@needs_data
def test_loss_to_loss_holds_out_what_the_authors_predicted() -> None:
    rows = table("loss_to_loss")
    held_out = rows[rows["held_out"]]
    assert held_out["N"].unique().tolist() == [3309980160]
    assert held_out["C"].min() > 20 * rows.loc[~rows["held_out"], "C"].max()
    fits = raw("loss_to_loss", "published_fits.csv")
    fits["validation_set"] = fits["loss_name"].str.extract("^eval/(.+)_val/")
    both = fits[~fits["kaplan"]].merge(
        held_out, left_on=["data", "validation_set"], right_on=["train_set", "validation_set"]
    )
    assert len(both) == 48
    np.testing.assert_allclose(both["extrap_loss"], both["loss_y"], rtol=1e-6)


@needs_data
def test_misfitting_has_no_copies() -> None:
    rows = table("misfitting")
    assert rows.groupby(["N", "D", "lr"]).size().value_counts().to_dict() == {1: 229, 2: 9, 3: 2}
    assert rows.groupby(["N", "D"])["lr"].nunique().agg(["size", "max"]).tolist() == [81, 4]
    points = table("misfitting_checkpoints")
    assert (points["D"] > points["planned_D"]).sum() == 2
    finished = points[points["D"] == points["planned_D"]]
    assert len(finished.merge(rows, on=["N", "D", "lr", "loss"])) == len(finished) == len(rows)


@needs_data
def test_colpret_holds_out_no_copy_of_a_training_row() -> None:
    rows = table("nslpfn_extra_colpret")
    assert not rows.duplicated(["model", "D", "loss"]).any()
    points = raw("nslpfn_extra_colpret", "colpret_curves.csv.gz").rename(columns={"curve": "model"})
    training = points[points["train"] == 1].drop_duplicates(["model", "tokens_seen", "loss"])
    assert len(training) == (~rows["held_out"]).sum()


@needs_data
def test_colpret_repeats_the_language_models() -> None:
    rows = table("nslpfn_extra_colpret")
    repeated = rows[rows["model"].str.startswith("lambda")]
    original = table("revisiting_nsl_lm")
    columns = ["D", "loss"]
    pairs = [part[columns].sort_values(columns).to_numpy() for part in (repeated, original)]
    np.testing.assert_allclose(*pairs)


@needs_data
def test_double_descent_has_five_repeats_and_its_own_units() -> None:
    rows = table("nslpfn_extra_double_descent")
    assert rows.groupby("setting")[["x_label", "y_label"]].nunique().max(axis=None) == 1
    assert rows["setting"].str.startswith("cifar10-mcnn-p20-sgd").sum() == 5 * 60


@needs_data
def test_porian_counts_each_run_once() -> None:
    assert set(table("porian_isoflop")["counting"]) == {"standard"}
    everything = table("porian_isoflop_counts")
    assert everything.groupby(["corpus", "recipe", "counting"]).ngroups == 15
    np.testing.assert_allclose(6 * everything["N"] * everything["D"], everything["C"])


@needs_data
def test_pythia_gives_losses_with_standard_errors() -> None:
    rows, runs = table("pythia_steps"), load("pythia_steps")
    points = raw("pythia_steps", "zero_shot_by_step.csv").query("step > 0")
    np.testing.assert_allclose(np.exp(runs["loss"]), points["lambada_ppl"])
    np.testing.assert_allclose(
        runs["stderr"] * points["lambada_ppl"].to_numpy(), points["lambada_ppl_stderr"]
    )
    assert (rows["D"] > 0).all()
    assert rows.groupby("corpus").size().tolist() == [208, 208]


@needs_data
def test_revisiting_has_92_curves_and_no_copies() -> None:
    rows = table("revisiting_nsl")
    curves = rows.groupby(["domain", "task", "model"])
    assert curves.ngroups == 92
    assert curves.ngroups == sum(rows.groupby("domain")[["task", "model"]].value_counts() > 0)
    assert not rows.duplicated().any()
    parts = rows.groupby("domain")["held_out"].agg(["size", "sum"])
    expected = {"BB": [430, 240], "IC": [18883, 14981], "LM": [229, 97], "NMT": [53, 5]}
    assert {domain: part.tolist() for domain, part in parts.iterrows()} == expected
    last = rows[~rows["held_out"]].groupby(["domain", "task", "model"])["D"].max()
    first = rows[rows["held_out"]].groupby(["domain", "task", "model"])["D"].min()
    assert (last < first).all()


@needs_data
def test_routed_dense_models_have_their_own_size() -> None:
    rows = table("routed_lm_final")
    dense = rows[rows["router"] == "Dense"]
    assert (dense["N"] == dense["N_total"]).all()
    assert (dense["E"] == 1).all()
    assert (dense["experts_per_token"] > 1).sum() == 5
    assert rows["step"].between(248_000, 250_000).all()
    assert (rows["experts_per_token"].eq(1) & rows["routing_frequency"].eq(0.5)).sum() == 166
    settings = [*rows.columns.difference(["loss", "step", "hyper_id"])]
    assert rows.duplicated(settings).sum() == 4


@needs_data
def test_steplaw_best_is_the_smallest_loss() -> None:
    best = table("steplaw_best").set_index(["N", "D"])["loss"]
    cells = table("steplaw").groupby(["N", "D"])["loss"]
    pd.testing.assert_series_equal(best, cells.min())
    assert (cells.size().min(), cells.size().max()) == (47, 120)
    assert (table("steplaw")["raw_loss"] > 5).sum() == 177


@needs_data
def test_steplaw_mixtures_differ_in_what_a_token_uses() -> None:
    sizes = table("steplaw_moe").groupby("mixture")[["N", "N_total"]].agg(["nunique", "min"])
    assert (sizes.xs("nunique", axis=1, level=1) == 1).all(axis=None)
    assert sizes["N", "min"].nunique() == 4
