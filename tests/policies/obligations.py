"""Obligations of every kind, drawn from the bounds of their vocabulary, over the fields of DATASET."""

from hypothesis import strategies as st

from contracts.messages import (
    AggregateOnly,
    CompoundFilter,
    Expiry,
    FieldFilter,
    Mask,
    MaskGeneralise,
    MaskGeoGrid,
    MaskHash,
    MaskNull,
    MaskRound,
    MaskTruncate,
    Measure,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
)

names = st.sampled_from(["station", "pm25", "operator", "运维单位"])
recipients = st.sampled_from([None, "p-aaaaaaaaaaaa", "p-zzzzzzzzzzzz"])
hows = st.one_of(
    st.builds(MaskNull),
    st.builds(MaskHash, recipient=recipients),
    st.builds(MaskRound, digits=st.integers(-9, 9)),
    st.builds(MaskTruncate, characters=st.integers(1, 200)),
    st.builds(
        MaskGeneralise, to=st.sampled_from(["province", "city", "county", "year", "month", "day", "hour"])
    ),
    st.builds(MaskGeoGrid, cell_millidegrees=st.integers(1, 10_000)),
)
masks = st.builds(Mask, field=names, how=hows)
words = st.text(min_size=1, max_size=5).filter(lambda text: text.encode(errors="replace").decode() == text)
comparisons = st.one_of(
    st.builds(
        FieldFilter,
        operator=st.sampled_from(["eq", "ne"]),
        field=names,
        value=st.none() | st.booleans() | st.integers(-9, 9) | words,
    ),
    st.builds(
        FieldFilter,
        operator=st.sampled_from(["lt", "lte", "gt", "gte"]),
        field=names,
        value=st.integers(-9, 9) | words,
    ),
    st.builds(
        FieldFilter,
        operator=st.sampled_from(["in", "nin"]),
        field=names,
        value=st.lists(st.integers(-9, 9) | words, min_size=1, max_size=3),
    ),
    st.builds(FieldFilter, operator=st.just("startswith"), field=names, value=words),
)
filters = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(
            CompoundFilter,
            operator=st.sampled_from(["and", "or"]),
            value=st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(CompoundFilter, operator=st.just("not"), value=st.lists(inner, min_size=1, max_size=1)),
    ),
    max_leaves=4,
)
row_filters = st.builds(RowFilter, rows=filters)
aggregates = st.builds(
    AggregateOnly,
    by=st.lists(names, min_size=1, max_size=2, unique=True),
    measures=st.lists(
        st.builds(Measure, field=names, function=st.sampled_from(["count", "mean", "sum"])),
        min_size=1,
        max_size=2,
    ),
    min_group=st.integers(2, 9),
)
quotas = st.builds(
    Quota,
    unit=st.sampled_from(["rows", "bytes", "releases"]),
    limit=st.integers(1, 3),
    window_seconds=st.sampled_from([60, 86400]),
)
rates = st.builds(Rate, fetches=st.integers(1, 3), window_seconds=st.sampled_from([1, 86400]))
watermarks = st.builds(Watermark, recipient=recipients)
expiries = st.builds(Expiry, days=st.sampled_from([1, 30, 400, 3650]))

demanded = st.one_of(masks, row_filters, aggregates, quotas, rates, watermarks, expiries)
obligations: st.SearchStrategy[Obligation] = st.one_of(
    demanded,
    st.builds(Redact, fields=st.lists(names, min_size=1, unique=True)),
    st.builds(PurposeBinding, purpose=st.just("joint-warning")),
)
