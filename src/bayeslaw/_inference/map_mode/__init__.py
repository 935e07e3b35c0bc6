"""MAP mode of each curve under a single-curve prior, all curves at once.

`problem` is the log posterior, `student_t` its quadratic approximation with independent noise and
`gls` that with a discrepancy. `solver` finds a local mode, `multistart` tries several starts, and
`ranking` keeps the modes with the largest posterior mass.
"""
