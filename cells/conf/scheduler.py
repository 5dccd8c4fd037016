"""[cells_scheduler]: how this cell picks among itself and its children."""

from oslo_config import cfg, types

GROUP = "cells_scheduler"

OPTIONS = [
    cfg.ListOpt(
        "filters",
        default=["target_cell", "different_cell", "capabilities", "free_capacity"],
        help="""
Filters that say which cells are not as required, asked in this order.

Names of entry points in the namespace ``cells.filters``. A requirement whose
filter is not named here is not looked at in this cell.
""",
    ),
    cfg.ListOpt(
        "weighers",
        default=["weight_offset", "mute_child", "free_capacity"],
        help="""
Weighers that say which of the cells that are left is the best.

Names of entry points in the namespace ``cells.weighers``. The weight of a
cell is the sum of what they give, each multiplied as weight_multipliers says.
""",
    ),
    cfg.Opt(
        "weight_multipliers",
        type=types.Dict(types.Float()),
        default={},
        help="""
What the weights of weighers are multiplied by, a list of ``name:number``.

A weigher that is not named here has its own default: ``weight_offset:1``,
``free_capacity:1``, ``mute_child:-1000000``. The weights of
``free_capacity`` lie between 0 and 1 before; those of ``weight_offset`` are
the numbers of the rows; those of ``mute_child`` are 1 for a mute child and 2
for one that cannot be reached. Use a negative number to prefer the fullest
cell: ``free_capacity:-1``.
""",
    ),
]
