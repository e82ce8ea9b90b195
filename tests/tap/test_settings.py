"""Settings are checked before anything is sent, and what is wrong is said without any value."""

from __future__ import annotations

import doctest
import math
from typing import Any

import pytest
from salesforce_bulk_client import ConfigError
from tap_salesforce_bulk import settings as settings_module
from tap_salesforce_bulk.tap import TapSalesforceBulk


def problem_of(settings: dict[str, Any]) -> str:
    """What the tap says against these settings."""
    with pytest.raises(ConfigError) as caught:
        TapSalesforceBulk(config=settings, setup_mapper=False)
    return str(caught.value)


def test_the_examples_in_the_docstrings_hold() -> None:
    """Each example in the module's docstrings gives what it says."""
    assert doctest.testmod(settings_module).failed == 0


@pytest.mark.parametrize("value", [8765432109.5, ["8765432109"], {"a": "8765432109"}, True])
@pytest.mark.parametrize("name", ["password", "client_secret", "private_key", "domain", "start_date"])
def test_a_setting_of_the_wrong_type_is_named_without_its_value(name: str, value: object) -> None:
    """A secret may stand anywhere, also where none belongs."""
    assert problem_of({name: value}) == f"{name} must be of type string"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"page_size": "8765432109x"}, "page_size must be of type integer"),
        ({"page_size": 0}, "page_size must be at least 1"),
        ({"auth_flow": "8765432109"}, "auth_flow must be one of refresh_token, client_credentials, jwt_bearer,"),
        ({"schema_drift": "8765432109"}, "schema_drift must be one of warn, error, ignore"),
        ({"streams_to_discover": ["Account", 8765432109]}, "streams_to_discover.1 must be of type string"),
        ({"soql_filters": {"Account": 8765432109}}, "soql_filters.Account must be of type string"),
        ({"batch_config": {"encoding": {"format": "8765432109"}}}, "batch_config.encoding.format must be one of "),
        ({"stream_maps": 8765432109}, "stream_maps must be of type object"),
        ({"lookback_window": 1e12}, "lookback_window must be at most 3155760000"),
        ({"lookback_window": -1}, "lookback_window must be at least 0"),
        ({"lookback_window": math.nan}, "lookback_window must be a finite number"),
        ({"lookback_window": "nan"}, "lookback_window must be a finite number"),
        ({"window_days": 1e-12}, "window_days must be at least 0.01"),
        ({"window_days": 1e12}, "window_days must be at most 36525"),
        ({"window_days": "1e400"}, "window_days must be a finite number"),
        ({"poll_max_s": 1e300}, "poll_max_s must be at most 86400"),
        ({"job_timeout_s": math.inf}, "job_timeout_s must be a finite number"),
        ({"retry_total_s": math.inf}, "retry_total_s must be a finite number"),
    ],
)
def test_a_setting_out_of_range_is_refused_at_start(wrong: dict[str, Any], problem: str) -> None:
    """By its path and what is wanted, never by its value."""
    message = problem_of(wrong)

    assert problem in message
    assert "8765432109" not in message


@pytest.mark.parametrize("start", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "8765432109x"])
def test_a_start_date_that_is_no_instant_is_refused_at_start(start: str) -> None:
    """Also one that is beyond what UTC can say."""
    assert "start_date is " in problem_of({"start_date": start})
