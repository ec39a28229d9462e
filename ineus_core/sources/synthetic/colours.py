# SPDX-FileCopyrightText: 2026 The ineus authors
# SPDX-License-Identifier: Apache-2.0
"""The named colours of the built-in scenes, red, green and blue from 0 to 1."""

WHITE, CREAM, SAND = (0.95, 0.95, 0.93), (0.93, 0.88, 0.76), (0.80, 0.70, 0.55)
OAK, WALNUT, SOOT = (0.72, 0.53, 0.33), (0.42, 0.27, 0.16), (0.16, 0.16, 0.18)
RED, ORANGE, YELLOW = (0.78, 0.18, 0.16), (0.93, 0.52, 0.14), (0.95, 0.82, 0.25)
GREEN, TEAL, BLUE = (0.25, 0.55, 0.28), (0.15, 0.55, 0.56), (0.18, 0.33, 0.68)
SKY, VIOLET, PINK = (0.62, 0.78, 0.90), (0.45, 0.30, 0.62), (0.90, 0.62, 0.66)
