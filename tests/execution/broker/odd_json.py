"""Whatever a broker might say: any JSON at all, and objects that look like what it says."""

from typing import Any

from hypothesis import strategies as st

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
_FIELDS = (
    "id", "client_order_id", "symbol", "side", "qty", "filled_qty", "status", "legs", "replaces", "replaced_by",
    "event", "execution_id", "price", "timestamp", "seq", "bar_ts_us", "order_id", "cum_qty", "transaction_time",
    "commission", "asset_class",
)  # fmt: skip
_WORDS = ["b1", "c1", "AAA", "buy", "sell", "5", "5.0", "new", "fill", "partial_fill", "2026-09-30T13:31:00Z"]
_values: st.SearchStrategy[Any] = st.sampled_from([*_WORDS, 5, None, []])
plausible_objects: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(_FIELDS), _values | any_json, max_size=len(_FIELDS)
)
