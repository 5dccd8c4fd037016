"""[cells_scheduler]: how this cell picks a cell among itself and its children."""

from oslo_config import cfg, types

from cells.conf.declaration import option

GROUP = "cells_scheduler"

OPTIONS = [
    option(cfg.ListOpt, "filters", default=["target_cell", "different_cell", "capabilities", "free_capacity"])("""
Filters that reject cells that do not fulfill the requirements, in this order.

Names of entry points in the namespace ``cells.filters``. If a filter is not
in this list, this cell ignores its requirement.
"""),
    option(cfg.ListOpt, "weighers", default=["weight_offset", "mute_child", "free_capacity"])("""
Weighers that rank the cells that pass all filters.

Names of entry points in the namespace ``cells.weighers``. The weight of a cell
is the sum of the weights of all weighers, each times its weight multiplier.
"""),
    option(cfg.Opt, "weight_multipliers", type=types.Dict(types.Float()), default={})("""
Multipliers of the weights, a list of ``name:number``.

Defaults: ``weight_offset:1``, ``free_capacity:1``, ``mute_child:-1000000``.
Before the multiplication, ``free_capacity`` gives a weight between 0 and 1,
``weight_offset`` the number in the neighbor's row, and ``mute_child`` 1 for a
mute child and 2 for an unreachable child. A negative number prefers the
fullest cell: ``free_capacity:-1``.
"""),
]
