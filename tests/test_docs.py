"""What the documentation says is true: settings, commands, links, messages, and the examples in docstrings.

Its commands are run by tests/end_to_end/test_walkthrough.py.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from singer_sdk.plugin_base import PluginBase
from tap_salesforce_bulk.tap import TapSalesforceBulk
from target_salesforce_bulk.target import TargetSalesforceBulk

ROOT = Path(__file__).parent.parent
README_OF: dict[type[PluginBase], Path] = {
    TapSalesforceBulk: ROOT / "tap-salesforce-bulk/README.md",
    TargetSalesforceBulk: ROOT / "target-salesforce-bulk/README.md",
}
PAGES = sorted(
    {
        path
        for pattern in ("*.md", "*/README.md", "docs/**/*.md", "examples/**/*.md")
        for path in ROOT.glob(pattern)
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    }
)
USER_PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *README_OF.values()]
"""What newcomers and operators read."""
PLAIN_PAGES = [*USER_PAGES, *ROOT.glob("docs/reference/*.md"), ROOT / "salesforce-bulk/README.md"]
PLAIN_PAGES += sorted(ROOT.glob("examples/*/README.md"))
SDK_SETTINGS = re.compile("stream_map|faker_config|flattening_|validate_records|add_record_metadata|batch_config")
SETTING_ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?:`(?P<default>[^`]*)`)? ?\| (?P<meaning>.+) \|$", re.MULTILINE)


def as_written(default: Any) -> str | None:
    """A default as the table shows it."""
    return default if default is None or isinstance(default, str) else json.dumps(default)


@pytest.mark.parametrize("plugin", README_OF, ids=lambda plugin: plugin.name)
def test_every_setting_is_in_the_readme_with_its_default_and_meaning(plugin: type[PluginBase]) -> None:
    """The table and ``--about`` say the same, word for word, of all settings but the SDK's own."""
    text = README_OF[plugin].read_text(encoding="utf-8")
    table = text.partition("## Settings")[2].partition("\n## ")[0]
    in_readme = {row["name"]: (row["default"], row["meaning"]) for row in SETTING_ROW.finditer(table)}
    plugin.append_builtin_config(plugin.config_jsonschema)
    in_code = plugin.config_jsonschema["properties"]
    own = {name: schema for name, schema in in_code.items() if not SDK_SETTINGS.match(name)}

    assert in_readme == {
        name: (as_written(schema.get("default")), schema["description"]) for name, schema in own.items()
    }
    assert [name for name in in_code.keys() - own.keys() if f"`{name}`" not in table] == []


def test_every_command_is_in_the_readme_and_has_help() -> None:
    """What pip installs is named on the first page, and starts."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    assert [name for name in commands if f"`{name}`" not in readme] == []
    for name in commands:
        answer = subprocess.run(
            [Path(sys.executable).parent / name, "--help"], capture_output=True, text=True, check=True
        )
        assert name in answer.stdout


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page; an equal heading gets a number."""
    found: list[str] = []
    for title in re.findall(r"^#+ (.+)$", without_code(file.read_text(encoding="utf-8")), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.append(f"{anchor}-{found.count(anchor)}" if anchor in found else anchor)
    return set(found)


def without_code(text: str) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links to files of this project name files that exist, and headings that are there."""
    broken = []
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        name, _, heading = target.partition("#")
        file = (page.parent / name) if name else page
        if not file.exists() or (heading and heading not in (anchors(file) if file.is_file() else ())):
            broken.append(target)

    assert broken == []


def test_every_page_is_in_the_index() -> None:
    """docs/README.md names each page for its readers, docs/contributing/README.md those for maintainers."""
    for folder, pages in (
        ("docs", [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/reference/*.md")]),
        ("docs/contributing", [*ROOT.glob("docs/contributing/*.md"), *ROOT.glob("docs/decisions/*.md")]),
    ):
        index = (ROOT / folder / "README.md").read_text(encoding="utf-8")

        assert [page.name for page in pages if page.name != "README.md" and page.name not in index] == []


def test_the_readme_is_read_in_a_few_minutes() -> None:
    """Less than 120 lines."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 120


GENERATED = re.compile(
    r"^\| (?:setting \| default \| meaning|switch \| default|OpenTelemetry \| Prometheus) \|.*\n(?:\|.*\n)+",
    re.MULTILINE,
)
"""Tables whose words are the code's."""
LOOKED_UP = re.compile(r"^\| (?:message|code|Salesforce says) \| (?:usual )?cause \| fix .*\n(?:\|.*\n)+", re.MULTILINE)
"""Tables in which one looks up a row, and which nobody reads from top to bottom."""


def test_the_user_docs_are_short_enough_to_be_read() -> None:
    """Less than 10,000 words together, without code, settings and the tables of messages."""
    texts = {page: without_code(page.read_text(encoding="utf-8")) for page in USER_PAGES}
    read = {str(page.relative_to(ROOT)): LOOKED_UP.sub("", GENERATED.sub("", text)) for page, text in texts.items()}
    words = {name: len(re.findall(r"\S*\w\S*", text)) for name, text in read.items()}

    assert sum(words.values()) < 10_000, words


NOT_ENGLISH = {
    "report, show, log, describe": r"tells?(?! apart)|(?<!be )told",
    "poll": r"looks? at (?:a|the|its) jobs?|a look(?! (?:at|in|up))|looks at it",
    "resume, continue": r"goes on(?: with)?|gone on with|go on with|going on with",
    "fix, correct": r"mends?|mended|cures?",
    "create a job": r"(?:makes?|made) (?:a |the )?(?:new )?(?:query |ingest )?jobs?|jobs? (?:is|are|was|were) made",
    "complete, in full": r"whole|wholly",
    "with, through": r"by (?:Meltano|REST|Bulk|Airflow|pip|uv|OTLP|hand and|Collections)\b",
    "up to, the maximum": r"at most so many|so many (?:rows|days|records|runs)|most (?:rows|bytes|seconds) of",
    "is not a": r"(?<!there )is no (?!longer)|(?<!there )are no (?!longer)",
    "path": r"roads?|the quick road",
    "costly": r"dear|dearer",
    "the outcome of": r"what became of|what becomes of|becomes of",
    "record, load, close": r"settles?|settled|sees? through|seen through|lets? go|given up|gives? up",
    "fingerprint, show": r"prints? of a row",
    "no overhead": r"nothing is asked|nothing is paid|asks nothing of",
    "retried, created again": r"(?:is|are|was|were) (?:asked|made|tried) again|made anew|anew",
    "when, with which": r"whoever|whosoever|thereby|therein|hence|besides",
}
"""Usual words, and the words of ours that stood for them in earlier versions."""


@pytest.mark.parametrize("page", PLAIN_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_for_users_is_in_plain_english(page: Path) -> None:
    """None of the words that only this project used; quotes of messages and names are left out."""
    text = re.sub(r"`[^`]*`", "`…`", GENERATED.sub("", without_code(page.read_text(encoding="utf-8"))))
    found = {
        f"{match[0]!r} in {line.strip()!r}": instead
        for line in text.splitlines()
        for instead, words in NOT_ENGLISH.items()
        for match in re.finditer(rf"\b(?:{words})\b", line, re.IGNORECASE)
    }

    assert found == {}


@pytest.mark.parametrize("picture", sorted(ROOT.glob("docs/pictures/*.svg")), ids=lambda picture: picture.name)
def test_every_picture_is_shown_and_says_what_it_shows(picture: Path) -> None:
    """Also to readers who cannot see it, and in the dark."""
    root = ElementTree.parse(picture).getroot()  # our own file
    names = [element.tag.rpartition("}")[2] for element in root]

    assert any(f"](pictures/{picture.name})" in page.read_text(encoding="utf-8") for page in PAGES)
    assert names[:3] == ["title", "desc", "style"]
    assert "prefers-color-scheme: dark" in picture.read_text(encoding="utf-8")


NOT_OURS = ("(the SDK's)", "(Python's)", "An unhandled error occurred", "without a message", "though there is a state")
"""Rows of the troubleshooting page that are not about one message of ours."""


@cache
def code() -> list[ast.AST]:
    """Return every node of the code of all packages."""
    files = ROOT.glob("*/*salesforce_bulk*/**/*.py")
    return [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


def calls(names: set[str]) -> set[ast.Call]:
    """Return the calls of functions and classes of these names that have an argument."""
    found = (node for node in code() if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args)
    return {call for call in found if isinstance(call.func, ast.Name) and call.func.id in names}


def as_told(node: ast.AST) -> str | None:
    """Return the text that is written here; what is filled in reads …"""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%(\.\d)?[a-z]", "…", node.value)
    return None


@cache
def texts() -> list[str]:
    """Return every text in the code."""
    return [told for node in code() if (told := as_told(node))]


def quoted_messages() -> Iterator[str]:
    """Yield our messages in the first columns of docs/troubleshooting.md, as patterns of regular expressions.

    Codes and what follows them are Salesforce's words; … stands for what is filled in.
    """
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    for row in re.findall(r"^\| (.+?) \| ", page.partition("\n## Error codes")[0], re.MULTILINE):
        for quote in re.findall(r"`([^`]* [^`]*)`", row):
            ours = re.sub(r"\b\d{3}\b|\b[A-Z]+_[A-Z_]+\b.*", "…", quote).strip("… ")
            if ours and not any(words in row for words in NOT_OURS):
                yield ".*".join(re.escape(words) for words in ours.split("…"))


@pytest.mark.parametrize("message", sorted(set(quoted_messages())))
def test_every_message_that_is_explained_is_one_that_comes(message: str) -> None:
    """Its words stand in one text of the code, in this order."""
    assert any(re.search(message, text, re.DOTALL) for text in texts())


def test_every_error_that_a_user_can_fix_is_explained() -> None:
    """What the code raises as one of these has its row, whatever is filled in."""
    explained = re.compile("|".join(quoted_messages()), re.DOTALL)
    for_users = {"ConfigError", "LoginError", "ColumnProblem", "JobFailed", "JobAborted", "JobTimedOut"}
    for_users |= {"UnexpectedValue", "SchemaDrift", "QuotaReached", "ResultsDirInUse", "StoppedAtFailure"}
    raised = {told for call in calls(for_users) if (told := as_told(call.args[0]))}
    never_seen = {"… is no OAuth grant"}

    assert len(raised) > 50
    assert [told for told in raised - never_seen if not explained.search(told)] == []


def test_every_code_of_our_own_is_explained() -> None:
    """Those that the target writes into ``error_code`` without Salesforce."""
    codes = {as_told(call.args[0]) for call in calls({"ValueRefused", "Refusal", "RecordError"})} - {None}
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")

    assert "NO_OUTCOME" in codes
    assert [code for code in codes if f"`{code}`" not in page] == []


@pytest.mark.parametrize(
    "package",
    [
        "salesforce_bulk_client",
        "salesforce_bulk_plugin",
        "salesforce_bulk_simulator",
        "tap_salesforce_bulk",
        "target_salesforce_bulk",
    ],
)
def test_the_examples_in_docstrings_are_true(package: str) -> None:
    """Every example of every module."""
    found = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    modules = [importlib.import_module(module.name) for module in found if not module.name.endswith("__main__")]
    results = [doctest.testmod(module) for module in modules]

    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) > 3
