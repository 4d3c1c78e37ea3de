"""The matrices of Winograd's minimal filtering (Winograd 1980; Lavin and Gray 2015, arXiv:1509.09308, section 4).

For a signal d of m + 2 numbers and a filter g of 3, the m numbers of their correlation are
`output @ ((filter @ g) * (data @ d))`: m + 2 products in place of 3 m. In two dimensions every matrix is applied to
rows and to columns. They are made as Toom and Cook made them: a product of polynomials is found from its values at
m + 1 points and at infinity; correlation is the transpose of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

TAPS = 3
"""Numbers of a filter along one axis."""
POINTS: Mapping[int, tuple[Fraction, ...]] = {
    2: tuple(map(Fraction, ("0", "1", "-1"))),
    3: tuple(map(Fraction, ("1", "-1", "1/2", "-1/2"))),
    4: tuple(map(Fraction, ("0", "1", "-1", "1/2", "-1/2"))),
}
"""Tile, outputs of one correlation -> points, all exact in binary; small ones lose least to rounding."""

Matrix = list[list[Fraction]]


def data(tile: int) -> Matrix:
    """[tile + 2, tile + 2]: applied to the numbers under a tile and its border."""
    points = POINTS[tile]
    rows = [_from_roots([other for other in points if other != point]) for point in points]
    return [[*row, Fraction(0)] for row in rows] + [_from_roots(points)]


def filter(tile: int) -> Matrix:
    """[tile + 2, 3]: applied to a filter."""
    rows: Matrix = []
    for point in POINTS[tile]:
        scale = Fraction(1)
        for other in POINTS[tile]:
            if other != point:
                scale *= point - other
        rows.append([point**power / scale for power in range(TAPS)])
    return [*rows, _at_infinity(TAPS)]


def output(tile: int) -> Matrix:
    """[tile, tile + 2]: applied to the products."""
    columns = [[point**power for power in range(tile)] for point in POINTS[tile]] + [_at_infinity(tile)]
    return transposed(columns)


def transposed(matrix: Matrix) -> Matrix:
    """Rows as columns."""
    return [list(column) for column in zip(*matrix, strict=True)]


def _at_infinity(size: int) -> list[Fraction]:
    """There a polynomial's value is its last coefficient."""
    return [Fraction(int(power == size - 1)) for power in range(size)]


def _from_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients of the product of x - root, the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *coefficients], [*(-root * c for c in coefficients), Fraction(0)]
        coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients
