"""Random values for property tests that have a JSON form."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def _nested(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6) | scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=6,
    )


JSON = _nested(st.floats(allow_nan=False, allow_infinity=False))
#: As :data:`JSON`, and with NaN and Infinity, which only Python's JSON has.
PYTHON_JSON = _nested(st.floats())
