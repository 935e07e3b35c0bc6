"""Four public corpora of different kinds, built byte for byte from packages that any Debian has.

Each builder returns documents (name -> bytes) in a fixed order. A document goes to the validation
part when the hash of its name says so (one in twenty), so the split never depends on the order, on
a seed or on the other documents. The text is written to a directory of the user's choice and is
never committed; `corpora.json` records where it came from, its licence, its size and its hash.
"""

import hashlib
import json
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

VALIDATION_ONE_IN = 20

Documents = Iterator[tuple[str, bytes]]


@dataclass(frozen=True)
class Source:
    """Where a corpus comes from, and the function that reads its documents."""

    kind: str
    package: str
    part: str
    licence: str
    documents: Callable[[Path], Documents]


@dataclass(frozen=True)
class Corpus:
    """The bytes of a corpus, split by document."""

    name: str
    train: np.ndarray
    validation: np.ndarray


# --- reading packages -----------------------------------------------------------------------------


def unpacked(package: str, directory: Path) -> Path:
    """Download a Debian package (without installing it) and unpack it; return its root."""
    root = directory / "packages" / package
    if not root.exists():
        downloads = directory / "packages"
        downloads.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", package], cwd=downloads, check=True)
        subprocess.run(["dpkg-deb", "-x", str(archive(package, directory)), str(root)], check=True)
    return root


def archive(package: str, directory: Path) -> Path:
    return next((directory / "packages").glob(f"{package}_*.deb"))


def package_version(package: str, directory: Path) -> str:
    if package == "cpython":
        return sys.version.split()[0]
    field = ["dpkg-deb", "-f", str(archive(package, directory)), "Version"]
    return subprocess.run(field, capture_output=True, text=True, check=True).stdout.strip()


def english_documents(directory: Path) -> Documents:
    """The chapters of the King James Bible: one verse a line, the references removed."""
    program = unpacked("bible-kjv", directory) / "usr/bin/bible"
    data = unpacked("bible-kjv-text", directory) / "usr/lib"
    command = [str(program.resolve()), "-f", "-p", str(data.resolve()), "gen1:1-rev22:21"]
    text = subprocess.run(command, capture_output=True, check=True).stdout
    chapters: dict[str, list[bytes]] = {}
    for line in text.splitlines():
        reference, _, verse = line.partition(b" ")
        if verse:
            chapters.setdefault(reference.split(b":")[0].decode(), []).append(verse)
    for name, verses in chapters.items():
        yield name, b"\n".join(verses) + b"\n\n"


def python_documents(directory: Path) -> Documents:
    """The standard library of the running interpreter without its tests."""
    root = Path(sysconfig.get_paths()["stdlib"])
    left_out = {"site-packages", "test", "tests", "__pycache__", "idle_test", "_sysconfigdata"}
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if left_out.isdisjoint(relative.parts) and not path.name.startswith("_sysconfigdata"):
            yield relative.as_posix(), path.read_bytes()


def c_documents(directory: Path) -> Documents:
    """The C files of the directories kernel/ and mm/ of the Linux source."""
    root = unpacked("linux-source-6.1", directory)
    with tarfile.open(root / "usr/src/linux-source-6.1.tar.xz") as tar:
        for member in tar:
            parts = member.name.split("/")
            if member.isfile() and parts[1] in {"kernel", "mm"} and parts[-1].endswith(".c"):
                yield "/".join(parts[1:]), tar.extractfile(member).read()


def html_documents(directory: Path) -> Documents:
    """The pages of the PostgreSQL manual."""
    root = unpacked("postgresql-doc-15", directory)
    pages = root / "usr/share/doc/postgresql-doc-15/html"
    for path in sorted(pages.rglob("*.html")):
        yield path.relative_to(pages).as_posix(), path.read_bytes()


SOURCES = {
    "english": Source(
        kind="English prose",
        package="bible-kjv-text",
        part="all 1189 chapters, one verse a line, without references",
        licence="public domain (1611; Crown rights apply in the United Kingdom only)",
        documents=english_documents,
    ),
    "python": Source(
        kind="Python source",
        package="cpython",
        part="Lib/**/*.py without tests",
        licence="PSF-2.0",
        documents=python_documents,
    ),
    "c": Source(
        kind="C source",
        package="linux-source-6.1",
        part="kernel/**/*.c and mm/**/*.c",
        licence="GPL-2.0-only",
        documents=c_documents,
    ),
    "html": Source(
        kind="HTML markup",
        package="postgresql-doc-15",
        part="html/**/*.html",
        licence="PostgreSQL",
        documents=html_documents,
    ),
}


# --- building and loading -------------------------------------------------------------------------


def is_validation(name: str) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % VALIDATION_ONE_IN == 0


def build(name: str, directory: Path) -> dict[str, object]:
    """Write the two parts of a corpus; return its provenance record."""
    source = SOURCES[name]
    documents = sorted(source.documents(directory))
    parts = {
        "train": b"".join(text for title, text in documents if not is_validation(title)),
        "validation": b"".join(text for title, text in documents if is_validation(title)),
    }
    for part, text in parts.items():
        (directory / f"{name}.{part}.bin").write_bytes(text)
    record: dict[str, object] = {k: v for k, v in asdict(source).items() if k != "documents"}
    record["version"] = package_version(source.package, directory)
    record["documents"] = len(documents)
    for part, text in parts.items():
        record[f"{part}_bytes"] = len(text)
        record[f"{part}_sha256"] = hashlib.sha256(text).hexdigest()
        record[f"{part}_unigram_nats"] = round(unigram_entropy(text), 4)
    return record


def unigram_entropy(text: bytes) -> float:
    """Entropy of single bytes, in nats: what a model without context can reach at best."""
    counts = np.bincount(np.frombuffer(text, np.uint8), minlength=256)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def build_all(directory: Path, record_file: Path) -> None:
    """Build every corpus and write the provenance; refuse silently different text."""
    directory.mkdir(parents=True, exist_ok=True)
    records = {name: build(name, directory) for name in SOURCES}
    if record_file.exists():
        known = json.loads(record_file.read_text())
        for name, record in records.items():
            if name in known and known[name]["train_sha256"] != record["train_sha256"]:
                raise ValueError(
                    f"corpus {name!r} differs from the one that was measured: found "
                    f"{record['package']} {record['version']}, "
                    f"expected {known[name]['version']}; give another results directory"
                )
    record_file.parent.mkdir(parents=True, exist_ok=True)
    record_file.write_text(json.dumps(records, indent=2) + "\n")


def load(name: str, directory: Path) -> Corpus:
    parts = {
        p: np.fromfile(directory / f"{name}.{p}.bin", np.uint8) for p in ("train", "validation")
    }
    return Corpus(name, **parts)
