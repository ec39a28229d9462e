# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""Systems of equations in blocks of six, symmetric and positive definite, by block Cholesky.

Blocks are held in rows of eight numbers, of which two are 0: several are worked out at once.
"""

import numpy as np

from ineus_core.kernels.jit import jit

ROW = 8


@jit()
def solved_blocks(diagonal, edges, across, right):  # type: ignore[no-untyped-def]
    """Return the solution; what is passed is overwritten.

    Args:
        diagonal: (n, 6, 8).
        edges: (m, 2). Row and column, of blocks, of each block off the diagonal, or of the one
            across from it; those of one place are added up.
        across: (m, 6, 8) or more.
        right: (n, 6).
    """
    order, position, begins, later = _order(len(diagonal), edges)
    # Where the block of a column and a row is; asked for those only that are there.
    slots = np.empty((len(order), len(order)), np.int32)
    for at in range(len(order)):
        for slot in range(begins[at], begins[at + 1]):
            slots[order[at], later[slot]] = slot
    below = np.zeros((len(later), 6, ROW))
    for edge in range(len(edges)):
        row, column = edges[edge]
        if position[row] > position[column]:
            slot = slots[column, row]
            for i in range(6):
                for j in range(6):
                    below[slot, i, j] += across[edge, i, j]
        else:
            slot = slots[row, column]
            for i in range(6):
                for j in range(6):
                    below[slot, j, i] += across[edge, i, j]
    turned = np.zeros((len(order), 6, ROW))
    for at in range(len(order)):
        rows = slice(begins[at], begins[at + 1])
        _eliminate(diagonal[order[at]], below[rows], later[rows], slots, diagonal, below, turned)
    _substitute(order, begins, later, diagonal, below, right)
    return right


@jit()
def _order(size, edges):  # type: ignore[no-untyped-def]
    """Return an order in which few blocks are filled: of least degree first.

    Also the place of each in it, and for each column of the factor, in that order, where its rows
    begin, and these.
    """
    linked = np.zeros((size, size), np.bool_)
    for first, second in edges:
        linked[first, second] = linked[second, first] = True
    degree = np.empty(size, np.int64)
    for one in range(size):
        degree[one] = linked[one].sum()
    order, position = np.empty(size, np.int64), np.full(size, size, np.int64)
    begins, later = np.zeros(size + 1, np.int64), np.empty(size * (size + 1) // 2, np.int64)
    for at in range(size):
        one = -1
        for other in range(size):
            if position[other] == size and (one < 0 or degree[other] < degree[one]):
                one = other
        order[at], position[one] = one, at
        end = begins[at]
        for other in range(size):
            if linked[one, other] and position[other] == size:
                later[end] = other
                degree[other] -= 1
                end += 1
        begins[at + 1] = end
        _link(later[begins[at] : end], linked, degree)
    for at in range(size):
        _sort(later[begins[at] : begins[at + 1]], position)
    return order, position, begins, later[: begins[size]]


@jit()
def _link(near, linked, degree):  # type: ignore[no-untyped-def]
    """Link all of some to each other, as they are when what links them is solved for."""
    for i in range(len(near)):
        for j in range(i):
            if not linked[near[i], near[j]]:
                linked[near[i], near[j]] = linked[near[j], near[i]] = True
                degree[near[i]] += 1
                degree[near[j]] += 1


@jit()
def _sort(rows, position):  # type: ignore[no-untyped-def]
    """Sort few by their position."""
    for i in range(1, len(rows)):
        one, at = rows[i], i
        while at > 0 and position[rows[at - 1]] > position[one]:
            rows[at] = rows[at - 1]
            at -= 1
        rows[at] = one


@jit(error_model="numpy")
def _eliminate(block, column, rows, slots, diagonal, below, turned):  # type: ignore[no-untyped-def]
    """Factor a column of blocks, and take what follows from it off those that come later."""
    _factor(block)
    for at in range(len(rows)):
        _divide(column[at], block)
        for i in range(6):
            for j in range(6):
                turned[at, j, i] = column[at, i, j]
    for i in range(len(rows)):
        _take_off(diagonal[rows[i]], column[i], turned[i])
        for j in range(i):
            _take_off(below[slots[rows[j], rows[i]]], column[i], turned[j])


@jit(fastmath={"contract"})
def _take_off(block, rows, columns):  # type: ignore[no-untyped-def]
    for i in range(6):
        a, b, c, d, e, f = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3], rows[i, 4], rows[i, 5]
        # All of a row of the block at once.
        for j in range(ROW):
            left = a * columns[0, j] + b * columns[1, j] + c * columns[2, j]
            block[i, j] -= left + d * columns[3, j] + e * columns[4, j] + f * columns[5, j]


@jit(error_model="numpy")
def _factor(block):  # type: ignore[no-untyped-def]
    """Overwrite a block with its lower triangular factor."""
    for j in range(6):
        square = block[j, j]
        for k in range(j):
            square -= block[j, k] * block[j, k]
        # What rounding has left nothing of stays where it is.
        pivot = np.sqrt(square) if square > 0 else np.inf
        block[j, j] = pivot
        for i in range(j + 1, 6):
            left = block[i, j]
            for k in range(j):
                left -= block[i, k] * block[j, k]
            block[i, j] = left / pivot


@jit(error_model="numpy")
def _divide(block, factor):  # type: ignore[no-untyped-def]
    """Overwrite a block with what times the factor, transposed, is that block."""
    for i in range(6):
        for j in range(6):
            left = block[i, j]
            for k in range(j):
                left -= block[i, k] * factor[j, k]
            block[i, j] = left / factor[j, j]


@jit(error_model="numpy")
def _substitute(order, begins, later, diagonal, below, right):  # type: ignore[no-untyped-def]
    """Overwrite the right side with the solution, forwards and backwards through the factor."""
    for at in range(len(order)):
        factor, one = diagonal[order[at]], right[order[at]]
        for i in range(6):
            for k in range(i):
                one[i] -= factor[i, k] * one[k]
            one[i] /= factor[i, i]
        for slot in range(begins[at], begins[at + 1]):
            for i in range(6):
                for k in range(6):
                    right[later[slot], i] -= below[slot, i, k] * one[k]
    for at in range(len(order) - 1, -1, -1):
        factor, one = diagonal[order[at]], right[order[at]]
        for slot in range(begins[at], begins[at + 1]):
            for i in range(6):
                for k in range(6):
                    one[k] -= below[slot, i, k] * right[later[slot], i]
        for i in range(5, -1, -1):
            for k in range(i + 1, 6):
                one[i] -= factor[k, i] * one[k]
            one[i] /= factor[i, i]
