"""Forward-mode automatic differentiation of laws and costs, by dual numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["log_slope"]


def log_slope(
    function: Callable[[Mapping[str, Any]], Any], along: str, sizes: Mapping[str, Any]
) -> np.ndarray:
    """Exact derivative with respect to the logarithm of one argument, by forward-mode dual numbers.

    The function takes a mapping of names to arrays and is written as a law is: with operators,
    ``np.exp`` and its like, `bayeslaw.maximum` and `bayeslaw.minimum`.
    """
    size = np.asarray(sizes[along], dtype=float)
    value = function({**sizes, along: _Dual(size, size)})
    return value.slope if isinstance(value, _Dual) else np.zeros_like(size)


class _Dual(NDArrayOperatorsMixin):
    """Dual number: a value and its derivative."""

    def __init__(self, value: Any, slope: Any) -> None:
        self.value, self.slope = value, slope

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **_: Any) -> _Dual:
        if method != "__call__" or ufunc not in PARTIALS:
            raise TypeError(
                f"np.{ufunc.__name__} has no derivative here; write laws and costs with operators "
                f"and {', '.join(sorted(f'np.{each.__name__}' for each in PARTIALS))}"
            )
        values = [each.value if isinstance(each, _Dual) else each for each in inputs]
        value = ufunc(*values)
        partials = zip(inputs, PARTIALS[ufunc], strict=True)
        slopes = [d(value, *values) * x.slope for x, d in partials if isinstance(x, _Dual)]
        return _Dual(value, sum(slopes[1:], start=slopes[0]))


def _power_by_base(power: Any, base: Any, exponent: Any) -> Any:
    """Partial derivative of base ** exponent with respect to the base."""
    return np.where(np.equal(exponent, 0), 0.0, exponent * np.power(base, np.subtract(exponent, 1)))


# Partial derivatives of a ufunc's value y by each of its inputs, given y and the inputs.
PARTIALS: dict[np.ufunc, tuple[Callable[..., Any], ...]] = {
    np.add: (lambda y, a, b: 1.0, lambda y, a, b: 1.0),
    np.subtract: (lambda y, a, b: 1.0, lambda y, a, b: -1.0),
    np.multiply: (lambda y, a, b: b, lambda y, a, b: a),
    np.true_divide: (lambda y, a, b: 1 / b, lambda y, a, b: -y / b),
    np.power: (_power_by_base, lambda y, a, b: y * np.log(a)),
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
