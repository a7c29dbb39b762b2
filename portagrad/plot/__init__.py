"""Pictures of a training run: loss, accuracy, gradients, and what the network makes of its data.

Needs matplotlib (`pip install 'portagrad[train]'`), which is imported when something is drawn.
"""

from portagrad.plot.curves import (
    Curves,
    lines_panel,
    losses_panel,
    norms_panel,
    training_figure,
)
from portagrad.plot.data import boundary_panel, curve_panel, image_panel, margin_panel
from portagrad.plot.drawing import (
    BLUE,
    GREEN,
    GRID,
    INK,
    ORANGE,
    QUIET,
    RED,
    Panel,
    panels_figure,
    render,
    require_matplotlib,
    require_suffix,
    save,
)

__all__ = [
    "BLUE",
    "GREEN",
    "GRID",
    "INK",
    "ORANGE",
    "QUIET",
    "RED",
    "Curves",
    "Panel",
    "boundary_panel",
    "curve_panel",
    "image_panel",
    "lines_panel",
    "losses_panel",
    "margin_panel",
    "norms_panel",
    "panels_figure",
    "render",
    "require_matplotlib",
    "require_suffix",
    "save",
    "training_figure",
]
