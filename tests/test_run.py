"""A run's identity, its final value, and what counts as a measured number."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.errors import WorkloadError
from surefoot.run import (
    Measurement,
    Metric,
    Provenance,
    Run,
    Status,
    canonical_json,
    config_hash,
    measured_value,
    run_key,
)


def run(*values: dict[str, float]) -> Run:
    return Run(
        id=1,
        key="k",
        workload="w",
        config={},
        seed=1,
        status=Status.COMPLETE,
        measurements=tuple(Measurement(step=i, values=v) for i, v in enumerate(values)),
        provenance=Provenance(code_fingerprint="", data_fingerprint=""),
    )


def test_the_final_value_is_the_last_one_not_the_best():
    assert run({"loss": 0.3}, {"loss": 0.1}, {"loss": 0.2}, {"other": 1.0}).final("loss") == 0.2


def test_a_metric_that_was_never_reported_has_no_final_value():
    assert run({"loss": 0.3}).final("accuracy") is None


def test_without_measurements_the_final_value_is_the_recorded_one():
    short = dataclasses.replace(run(), finals={"loss": 0.2})
    assert (short.final("loss"), short.final("accuracy")) == (0.2, None)
    assert dataclasses.replace(run({"loss": 0.3}), finals={"loss": 0.2}).final("loss") == 0.3


def test_a_gain_has_the_sign_of_the_goal():
    assert Metric(name="a", goal="maximize").sign == 1
    assert Metric(name="a", goal="minimize").sign == -1


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.int64(1), np.array(1.0)])
def test_whatever_holds_one_number_is_measured(value):
    assert measured_value("loss", value) == 1.0
    assert type(measured_value("loss", value)) is float


def test_nan_and_the_infinities_are_values_too():
    assert math.isnan(measured_value("loss", math.nan))
    assert measured_value("loss", -math.inf) == -math.inf


@pytest.mark.parametrize(
    "value", ["1", None, True, Decimal(1), Fraction(1, 2), np.array([1.0]), np.bool_(True), [1], 10**400]
)
def test_anything_else_is_refused_in_one_line(value):
    with pytest.raises(WorkloadError, match=r"^a measured value must .*loss") as caught:
        measured_value("loss", value)
    assert len(str(caught.value).splitlines()) == 1


SCALARS = (st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.booleans(), st.none())
SETTINGS = st.dictionaries(st.text(), st.one_of(*SCALARS))


@given(SETTINGS)
def test_the_order_of_settings_is_no_part_of_a_config(settings):
    assert config_hash(dict(reversed(settings.items()))) == config_hash(settings)


@given(st.integers(-(2**52), 2**52))
def test_1_and_1_point_0_are_one_setting(value):
    assert config_hash({"x": value}) == config_hash({"x": float(value)})


def test_true_is_not_1_and_text_is_no_number():
    assert len({config_hash({"x": x}) for x in (True, 1, "1", "true", None)}) == 5


def test_every_part_is_part_of_a_runs_identity():
    keys = {
        run_key("w", {"x": 1}, 1, "data", "code"),
        run_key("v", {"x": 1}, 1, "data", "code"),
        run_key("w", {"x": 2}, 1, "data", "code"),
        run_key("w", {"x": 1}, 2, "data", "code"),
        run_key("w", {"x": 1}, 1, "datum", "code"),
        run_key("w", {"x": 1}, 1, "data", "node"),
    }
    assert len(keys) == 6
    assert run_key("w", {"x": 1.0}, np.int64(1), "data", "code") in keys


def test_nan_has_no_canonical_text():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": math.nan})
