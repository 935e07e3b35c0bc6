"""Machine code on disk: Numba's cache in the folder of compiled code, with a hash of each file.

Numba reads what it finds: a damaged file is an exception in every fit until somebody deletes it, or
other machine code. It also lists a function's files in an index, which two processes that start
together overwrite. Here each signature has its own file, which is read if its hash is right and is
otherwise compiled and written again.
"""

# Numba's annotations say that its abstract methods return None.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import contextlib
import hashlib
import pickle
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numba
from numba.core import caching
from numba.core.serialize import dumps

from bayeslaw._disk.cache_files import read_cached, write_cached
from bayeslaw._disk.compile_folder import compile_folder

__all__ = ["N_KEY", "CodeFiles", "GeneratedCodeLocator", "KernelLocator", "set_cache_key"]

N_KEY = 12  # characters of a key in the name of a file
NumbaFiles = caching.IndexDataCacheFile


class CodeFiles:
    """Files of the compiled signatures of one function, in place of `IndexDataCacheFile`."""

    def __init__(self, cache_path: Path, filename_base: str, source_stamp: Any) -> None:
        self._folder, self._name, self._stamp = cache_path, filename_base, source_stamp

    def load(self, key: Any) -> Any:
        """What was saved under a key, or None; a file of anything else is removed."""
        path = self._path(key)
        content = read_cached(path)
        if content is not None:
            with contextlib.suppress(Exception):  # such as a class of a package that is gone
                identity, data = pickle.loads(content)
                if identity == self._identity(key):
                    return data
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None

    def save(self, key: Any, data: Any) -> None:
        """Save compiled code."""
        write_cached(self._path(key), dumps((self._identity(key), data)))

    def flush(self) -> None:
        """Remove all signatures."""
        for path in self._folder.glob(f"{self._name}.*.code"):
            path.unlink()

    def _identity(self, key: Any) -> tuple[Any, ...]:
        return numba.__version__, self._stamp, key

    def _path(self, key: Any) -> Path:
        digest = hashlib.sha256(repr(self._identity(key)).encode()).hexdigest()
        return self._folder / f"{self._name}.{digest[:32]}.code"


class KernelLocator(caching._SourceFileBackedLocatorMixin, caching._CacheLocator):
    """Locates the code of the package's own functions in the folder of compiled code."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        self._py_file, self._lineno = py_file, py_func.__code__.co_firstlineno

    def get_cache_path(self) -> Path:
        """The folder."""
        return compile_folder()

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> KernelLocator | None:
        """A locator of a function of this package; None for others."""
        is_own = py_func.__module__.partition(".")[0] == __name__.partition(".")[0]
        return cls(py_func, py_file) if is_own else None


_cache_keys: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # of functions without a file


def set_cache_key(function: Any, key: str) -> None:
    """Cache the machine code of a generated function under a key that tells all it depends on."""
    _cache_keys[function] = key


class GeneratedCodeLocator(caching._CacheLocator):
    """Locates the code of generated functions, which have a key in place of a file."""

    def __init__(self, key: str) -> None:
        self._key = key

    def get_cache_path(self) -> Path:
        """The folder."""
        return compile_folder()

    def get_source_stamp(self) -> str:
        """The key."""
        return self._key

    def get_disambiguator(self) -> str:
        """The start of the key."""
        return self._key[:N_KEY]

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> GeneratedCodeLocator | None:
        """A locator of a function with a key; None for others."""
        key = _cache_keys.get(py_func)
        return None if key is None else cls(key)


def _files(cache_path: Any, filename_base: str, source_stamp: Any) -> Any:
    is_own = cache_path == compile_folder()
    return (CodeFiles if is_own else NumbaFiles)(cache_path, filename_base, source_stamp)


# Numba has no setting for either; PyTensor adds its locator to the same list.
caching.IndexDataCacheFile = _files  # pyright: ignore[reportAttributeAccessIssue]
caching.CacheImpl._locator_classes[:0] = [GeneratedCodeLocator, KernelLocator]
