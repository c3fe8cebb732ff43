#!/usr/bin/env python3
"""Prints the GELU coefficients of activation_functions-inl.h, for results that are rounded to bf16. Needs NumPy.

gelu(x) = x * phi(x), and phi(x) = 1/2 + x * P(x^2) on [-LIMIT, LIMIT], clamped to [0, 1]; beyond, as at the limit. P is
fitted to the least largest |error of gelu| by Lawson's iteration of weighted least squares. Also prints that error, in
fp32 as the kernel computes it, for |x| <= 12.
"""

import math

import numpy as np

LIMIT, DEGREE = 4.4, 8


def phi_erf(x):
    return 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def phi_tanh(x):
    return 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def fit(phi):
    """Powers of x^2, the lowest first."""
    x = np.cos(np.linspace(0, math.pi / 2, 4000))[:-1][::-1] * LIMIT
    basis = np.polynomial.chebyshev.chebvander(2 * (x / LIMIT) ** 2 - 1, DEGREE) * x[:, None]
    target, weight, importance = phi(x) - 0.5, np.maximum(x, 0.05), np.ones_like(x)
    for _ in range(60):
        factor = np.sqrt(importance) * weight
        found = np.linalg.lstsq(basis * factor[:, None], target * factor, rcond=None)[0]
        error = np.abs(basis @ found - target) * weight
        importance *= error / error.max() + 1e-12
        importance /= importance.sum()
    power = np.polynomial.Polynomial(np.polynomial.chebyshev.cheb2poly(found))
    return power(np.polynomial.Polynomial([-1, 2 / LIMIT**2])).coef


def largest_error(phi, coefficients):
    x = np.linspace(-12, 12, 200_001).astype(np.float32)
    inside = np.clip(x, np.float32(-LIMIT), np.float32(LIMIT))
    value = np.zeros_like(x)
    for coefficient in coefficients[::-1]:
        value = value * inside * inside + np.float32(coefficient)
    return np.abs(x * np.clip(np.float32(0.5) + inside * value, 0, 1) - x * phi(x)).max()


for name, phi in (("erf", phi_erf), ("tanh", phi_tanh)):
    coefficients = fit(phi)
    print(f"{name}: |error| <= {largest_error(phi, coefficients):.1e}")
    print("  " + ", ".join(f"{c:.8e}f" for c in coefficients))
