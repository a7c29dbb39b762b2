"""Derivatives of linear algebra.

A cotangent is pulled back by plain transposition: X = A Y B with cotangent g has
Re(sum(g dX)) = Re(sum((Aᵀ g Bᵀ) dY)). So the textbooks' formulas, written for the
conjugated convention, appear here with every matrix conjugated: Aᵀ where they
have Aᴴ, and conj(A) where they have A.
"""

from portagrad.derivatives.linalg import factorizations as factorizations
from portagrad.derivatives.linalg import norms as norms
from portagrad.derivatives.linalg import products as products
from portagrad.derivatives.linalg import solving as solving
from portagrad.derivatives.linalg import spectra as spectra
