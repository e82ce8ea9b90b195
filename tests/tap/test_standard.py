"""The SDK's own tests for taps, with real rows in a simulated org.

They are run from its suites, since its factory would discover streams while the tests are still being collected.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from salesforce_bulk_simulator import Org, Progression, running
from singer_sdk.testing import SuiteConfig, TapTestRunner
from singer_sdk.testing.suites import tap_stream_attribute_tests, tap_stream_tests, tap_tests
from singer_sdk.testing.templates import AttributeTestTemplate, StreamTestTemplate, TapTestTemplate
from tap_salesforce_bulk.tap import TapSalesforceBulk

STREAMS = ("Account", "Opportunity", "Contact", "CronJobDetail")
ANY_COLUMN_MAY_BE_EMPTY = SuiteConfig(ignore_no_records=True)


@pytest.fixture(scope="module")
def runner() -> Iterator[TapTestRunner]:
    """The SDK's runner after one sync of an org with a few rows of each kind of value."""
    org = Org(progression=Progression.immediate())
    for number in range(5):
        (account,) = org.insert(
            "Account", [{"Name": f"Account {number}", "AnnualRevenue": 10.0**number, "NumberOfEmployees": number}]
        )
        org.insert("Contact", [{"LastName": "Lovelace", "AccountId": account, "Birthdate": "1815-12-10"}])
        org.insert(
            "Opportunity",
            [{"Name": "Sale", "CloseDate": "2024-02-29", "StageName": "Won", "Amount": 0.1, "AccountId": account}],
        )
        org.insert("CronJobDetail", [{"Name": f"job {number}"}])
    with running(org) as url:
        config = {
            "login_url": url,
            "client_id": "sim-client",
            "client_secret": "sim-secret",
            "refresh_token": "sim-refresh",
            "streams_to_discover": list(STREAMS),
            "poll_min_s": 0.01,
            "quota_percent_per_run": 100,
        }
        runner = TapTestRunner(TapSalesforceBulk, config=config)
        runner.sync_all()
        yield runner


@pytest.mark.parametrize("test", tap_tests.tests, ids=lambda test: test.name)
def test_the_tap(test: type[TapTestTemplate], runner: TapTestRunner) -> None:
    """Each of the SDK's tests of a tap."""
    test().run(SuiteConfig(), None, runner)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("test", tap_stream_tests.tests, ids=lambda test: test.name)
def test_each_stream(test: type[StreamTestTemplate], stream: str, runner: TapTestRunner) -> None:
    """Each of the SDK's tests of a stream."""
    test().run(SuiteConfig(), None, runner, runner.new_tap().streams[stream])


@pytest.mark.parametrize("stream", STREAMS)
def test_each_property(stream: str, runner: TapTestRunner) -> None:
    """Each of the SDK's tests of a property, for each property that it is meant for."""
    tested = runner.new_tap().streams[stream]
    done = 0
    for test in tap_stream_attribute_tests.tests:
        assert issubclass(test, AttributeTestTemplate)
        for name, schema in tested.stream_maps[-1].transformed_schema["properties"].items():
            if test.evaluate(stream=tested, property_name=name, property_schema=schema):
                test().run(ANY_COLUMN_MAY_BE_EMPTY, None, runner, tested, name)
                done += 1

    assert done > 0
