"""Exact derivatives of laws and costs, carried along with their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["log_slope"]


def log_slope(
    function: Callable[[Mapping[str, Any]], Any], along: str, sizes: Mapping[str, Any]
) -> np.ndarray:
    """Derivative of a function with respect to the logarithm of one of its arguments.

    Parameters
    ----------
    function : callable
        A formula of a mapping of names to arrays, written as a law is: with operators, ``np.exp``
        and its like, and `bayeslaw.maximum`, `bayeslaw.minimum`.
    along : str
        The argument.
    sizes : mapping of str to array
        Where.

    Returns
    -------
    array
        Exact up to rounding.

    Raises
    ------
    TypeError
        If the formula uses a function of NumPy that is not known here.

    Examples
    --------
    >>> cost = lambda sizes: 6 * sizes["N"] * sizes["D"] ** 2
    >>> float(log_slope(cost, "D", {"N": np.array(2.0), "D": np.array(5.0)}))
    600.0
    """
    size = np.asarray(sizes[along], dtype=float)
    found = function({**sizes, along: _Dual(size, size)})
    return found.slope if isinstance(found, _Dual) else np.zeros_like(size)


class _Dual(NDArrayOperatorsMixin):
    """A value and its derivative."""

    def __init__(self, value: Any, slope: Any) -> None:
        self.value, self.slope = value, slope

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **_: Any) -> _Dual:
        if method != "__call__" or ufunc not in PARTIALS:
            raise TypeError(
                f"np.{ufunc.__name__} has no derivative here; write laws and costs with operators "
                f"and {', '.join(sorted(f'np.{known.__name__}' for known in PARTIALS))}"
            )
        plain = [each.value if isinstance(each, _Dual) else each for each in inputs]
        value = ufunc(*plain)
        parts = zip(inputs, PARTIALS[ufunc], strict=True)
        slopes = [d(value, *plain) * x.slope for x, d in parts if isinstance(x, _Dual)]
        return _Dual(value, sum(slopes[1:], start=slopes[0]))


def _of_base(power: Any, base: Any, exponent: Any) -> Any:
    return np.where(np.equal(exponent, 0), 0.0, exponent * np.power(base, np.subtract(exponent, 1)))


# Derivatives of a ufunc's value y with respect to each of its inputs, from y and the inputs.
PARTIALS: dict[np.ufunc, tuple[Callable[..., Any], ...]] = {
    np.add: (lambda y, a, b: 1.0, lambda y, a, b: 1.0),
    np.subtract: (lambda y, a, b: 1.0, lambda y, a, b: -1.0),
    np.multiply: (lambda y, a, b: b, lambda y, a, b: a),
    np.true_divide: (lambda y, a, b: 1 / b, lambda y, a, b: -y / b),
    np.power: (_of_base, lambda y, a, b: y * np.log(a)),
    np.negative: (lambda y, a: -1.0,),
    np.positive: (lambda y, a: 1.0,),
    np.absolute: (lambda y, a: np.sign(a),),
    np.exp: (lambda y, a: y,),
    np.expm1: (lambda y, a: y + 1,),
    np.log: (lambda y, a: 1 / a,),
    np.log1p: (lambda y, a: 1 / (1 + a),),
    np.sqrt: (lambda y, a: 0.5 / y,),
    np.square: (lambda y, a: 2 * a,),
    np.tanh: (lambda y, a: 1 - y**2,),
}
