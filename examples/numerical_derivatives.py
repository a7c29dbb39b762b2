"""Derivatives by difference: which step, which quotient, and how much of it is wrong.

A fixed step of 0.001 loses digits to truncation here and to rounding there; a
step chosen from the dtype and the point does not. The Jacobian of x·x is
diag(2x), by difference and by tape; the complex step is exact.
"""

from __future__ import annotations

import argparse

import command
import numpy as np

import portagrad as pg
from portagrad import plot
from portagrad.testing import numerical_derivative, numerical_jacobian


def example(options: argparse.Namespace, claims: command.Claims) -> command.Picture:
    """d/dx sin at 1, with every step there is."""
    exact = np.cos(1.0)
    bounds = {"forward": 1e-7, "central": 1e-9, "complex": 1e-15}
    for method, bound in bounds.items():
        found, error = numerical_derivative(np.sin, 1.0, method=method, with_error=True)
        off = abs(float(found) - exact)
        claims.show(
            f"{method:8} difference of sin at 1",
            off < bound,
            f"off by {off:.1e}, which it estimates as {float(error):.1e}",
        )
    large = np.asarray(30_000.0, dtype="float32")
    fixed = float((np.float32(3) * (large + np.float32(0.001)) - np.float32(3) * large) / 0.001)
    chosen = float(numerical_derivative(lambda x: np.float32(3) * x, large))
    claims.show(
        "3x at 30,000 in float32: a step of 0.001 is lost, the chosen one is not",
        abs(fixed - 3) > 0.5 and abs(chosen - 3) < 0.03,
        f"{fixed:.3f} and {chosen:.3f}, where 3 is right",
    )
    x = np.asarray([0.3, 0.9, 0.2, 0.3, 1.0])
    claims.same(
        "the Jacobian of x·x by difference", numerical_jacobian(lambda x: x * x, x), np.diag(2 * x)
    )
    claims.same(
        "the Jacobian of x·x by tape",
        pg.jacobian(lambda x: x * x)(pg.asarray(x)),
        np.diag(2 * x),
        1e-14,
    )

    steps = 10.0 ** np.linspace(-16, 0, 65)
    quotients = {
        "forward": lambda h: (np.sin(1 + h) - np.sin(1)) / h,
        "central": lambda h: (np.sin(1 + h) - np.sin(1 - h)) / (2 * h),
        "complex": lambda h: np.imag(np.sin(1 + 1j * h)) / h,
    }
    lines = {
        name: (steps, np.maximum(np.abs(quotient(steps) - exact), 1e-17))
        for name, quotient in quotients.items()
    }
    return command.Picture(
        "How wrong a difference is, by its step",
        (plot.lines_panel("step h", "error of d/dx sin at 1", lines, log_x=True, log_y=True),),
    )


if __name__ == "__main__":
    command.run(example, __doc__)
