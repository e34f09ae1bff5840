"""The colors of maps, which people who cannot tell red from green can tell apart.

Categories have colors of Paul Tol's schemes 'muted' (on white) and 'light' (on black), see
https://personal.sron.nl/~pault/. Numbers have ramps that differ in lightness; opposites are orange
and blue.
"""

from typing import Any

import numpy as np

# By theme: stops of the ramps, colors of categories, and that of all other categories.
PALETTES: dict[str, dict[str, Any]] = {
    "light": {
        "diverging": ["#b4410b", "#ec9a66", "#cfd5dc", "#6ba3d6", "#1a4fd0"],
        "rising": ["#bccadb", "#8db0dc", "#5a8bcf", "#2c5cb3", "#142f6b"],
        "categories": [
            *("#332288", "#cc6677", "#44aa99", "#88ccee"),
            *("#882255", "#999933", "#117733", "#aa4499"),
        ],
        "others": "#b8bec6",
    },
    "dark": {
        "diverging": ["#ff9d5c", "#c27545", "#565f6b", "#4f87c4", "#6fb4ff"],
        "rising": ["#3f4a59", "#4f719f", "#6b9bd6", "#a3c9f5", "#eef5ff"],
        "categories": [
            *("#77aadd", "#ee8866", "#44bb99", "#eedd88"),
            *("#ffaabb", "#aaaa00", "#99ddff", "#bbcc33"),
        ],
        "others": "#5b6470",
    },
}
CATEGORIES = len(PALETTES["light"]["categories"])


def diverging_limit(values: np.ndarray) -> float:
    """Returns where a diverging ramp ends, so that a few extremes do not pale all other points."""
    return float(np.quantile(np.abs(values), 0.99)) or 1.0
