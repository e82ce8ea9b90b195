"""Where the settings come from: files, or the plugins' environment variables; and which of them won is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_companion.settings import Settings

from .conftest import Run


def write(path: Path, **content: Any) -> str:
    path.write_text(json.dumps(content))
    return path.name


def in_environment(monkeypatch: pytest.MonkeyPatch, prefix: str, settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(prefix + name.upper(), str(value))


def test_a_later_file_wins_over_an_earlier_one(bare: Run, folder: Path, settings: dict[str, Any]) -> None:
    """And both are named, in their order."""
    base = write(folder / "base.json", **settings, api_version="60.0")
    over = write(folder / "over.json", api_version="61.0")

    done = bare("check", "--config", base, "--config", over)

    assert done.exit_code == 0
    assert "Settings   base.json, then over.json\n" in done.stdout
    assert "API        61.0 (the org offers 31.0 to 67.0)\n" in done.stdout


@pytest.mark.parametrize("prefix", ["TAP_SALESFORCE_BULK_", "TARGET_SALESFORCE_BULK_"])
def test_without_a_file_one_plugins_variables_are_read(
    bare: Run, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """As the plugins read them: whichever of the two has some."""
    in_environment(monkeypatch, prefix, settings)
    monkeypatch.setenv("TAP_SALESFORCE_BULK_PAGE_SIZE", "1000")  # has nothing to do with logging in

    done = bare("check")

    assert done.exit_code == 0
    assert f"Settings   {prefix}* variables\n" in done.stdout


def test_of_both_plugins_variables_the_taps_win(
    bare: Run, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless --target says otherwise; what is not read is told."""
    in_environment(monkeypatch, "TAP_SALESFORCE_BULK_", {**settings, "api_version": "60.0"})
    in_environment(monkeypatch, "TARGET_SALESFORCE_BULK_", {**settings, "api_version": "61.0"})

    both, target = bare("check"), bare("check", "--target")

    assert "API        60.0" in both.stdout
    assert (
        "TAP_SALESFORCE_BULK_* variables (TARGET_SALESFORCE_BULK_* variables are set, too, and not read" in both.stdout
    )
    assert "API        61.0" in target.stdout


def test_variables_are_read_beside_a_file_only_when_asked_for(
    bare: Run, folder: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--config ENV`` puts them over the files, as it does for the plugins."""
    config = write(folder / "config.json", **settings, api_version="60.0")
    monkeypatch.setenv("TAP_SALESFORCE_BULK_API_VERSION", "61.0")

    alone, with_variables = bare("check", "--config", config), bare("check", "--config", config, "--config", "ENV")

    assert "API        60.0" in alone.stdout
    assert "(TAP_SALESFORCE_BULK_* variables are set, too, and not read: --config ENV adds them)" in alone.stdout
    assert "Settings   config.json, then TAP_SALESFORCE_BULK_* variables\n" in with_variables.stdout
    assert "API        61.0" in with_variables.stdout


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "the config file 'config.json' cannot be read: No such file or directory"),
        ('{"client_id": "x",\n oops}', "the config file 'config.json' is not valid JSON: line 2"),
        ("[]", "the config file 'config.json' is not a JSON object"),
        ("{}", "there are no settings: name a --config FILE, or set TAP_SALESFORCE_BULK_*"),
        ('{"client_id": "x"}', "no way to log in: give the settings of one of these"),
        ('{"auth_flow": "magic"}', "auth_flow is 'magic', but must be one of refresh_token"),
        (
            '{"access_token": "x", "instance_url": "http://acme.example.com"}',
            "plain http is only for loopback addresses",
        ),
    ],
)
def test_wrong_settings_are_one_line(bare: Run, folder: Path, content: str | None, told: str) -> None:
    """In the plugins' own words, with exit code 1, for each command that logs in."""
    if content is not None:
        (folder / "config.json").write_text(content)

    for command in (["check"], ["jobs", "list"]):
        done = bare(*command, "--config", "config.json")

        assert done.exit_code == 1
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        assert told in line


def test_a_variable_of_the_wrong_type_is_one_line(bare: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a setting that has nothing to do with logging in."""
    monkeypatch.setenv("TAP_SALESFORCE_BULK_PAGE_SIZE", "many")

    done = bare("check")

    assert done.exit_code == 1
    assert "a TAP_SALESFORCE_BULK_* variable does not have its setting's type" in done.stderr


def test_what_does_not_answer_is_told_soon(settings: dict[str, Any]) -> None:
    """A run would try for ten minutes; who sits at a terminal would not."""
    patient = Settings(values={**settings, "retry_total_s": 600}, source="").connection()
    hasty = Settings(values={**settings, "retry_total_s": 0.5}, source="").connection()

    assert (patient.retry_total_s, hasty.retry_total_s) == (20, 0.5)
