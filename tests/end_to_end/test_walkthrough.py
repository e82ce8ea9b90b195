"""README and the pages for newcomers, followed word for word in a folder of their own, against a simulator.

What stands in ``console`` blocks is run, what stands in other blocks below a sentence that names a file is that file,
and the lines shown below a command have to be printed by it (… stands for anything). Two things are not as on the
page: the simulator's port, and where a page speaks of an org of the reader's, the settings that log in to it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import ConnectionConfig, SalesforceClient
from salesforce_bulk_simulator import Org

from tests.end_to_end.conftest import BIN

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/connecting.md",
    "docs/first-sync-and-load.md",
    "docs/incremental.md",
    "docs/migrating.md",
]
NOT_RUN = {
    "scripts/demo": "takes a minute, and Meltano; it is the demo's own test",
    "scripts/test": "runs these tests",
    "pip install": "installs into the reader's environment; the tests have theirs",
    "tap-anything": "stands for any tap",
    "curl https://acme": "needs an org, and a browser before it",
    "sf ": "needs the Salesforce CLI, and an org",
}
"""How the blocks begin that cannot be run here, and why."""

ORG_SETTINGS = re.compile(r'"domain": "acme\.my\.salesforce\.com", "client_id": "…", "client_secret": "…"')
"""What a page writes where the reader's own org comes in."""

SIMULATOR = "salesforce-bulk-simulator "
PORT_ON_THE_PAGE = "8765"
END = "--- the command has ended with"


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of a page; ``file`` is its name if the sentence above it gives one."""

    language: str
    text: str
    file: str | None


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^( *)```(\w+)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
        above = text[: found.start()].rstrip().rpartition("\n\n")[2]
        name = re.search(r"`([\w-]+\.(?:jsonl?|singer\.jsonl|py))`[^`]*:$", above, re.DOTALL)
        yield Block(language=found[2], text=textwrap.dedent(found[3]), file=name and name[1])


@dataclass(kw_only=True)
class Reader:
    """Does what a page says, in ``folder``."""

    folder: Path
    env: Mapping[str, str]
    connection: Mapping[str, Any]
    """What logs in to the reader's own org."""
    until_the_end: ExitStack
    port: str = PORT_ON_THE_PAGE
    done: list[str] = field(default_factory=list)
    """The commands that were run."""

    def follow(self, block: Block) -> None:
        """Save a file, or run commands and compare what they print."""
        text = ORG_SETTINGS.sub(json.dumps(self.connection)[1:-1], block.text).replace(PORT_ON_THE_PAGE, self.port)
        if block.language != "console":
            if block.file:
                (self.folder / block.file).write_text(text, encoding="utf-8")
        elif not text.startswith(tuple(f"$ {beginning}" for beginning in NOT_RUN)):
            steps = re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
            self.done += [command for command, _ in steps]
            if steps[0][0].startswith(SIMULATOR):
                self._serve(*steps[0])
            else:
                self._run(steps)

    def _serve(self, command: str, shown: str) -> None:
        """Start the simulator as the page says, but at a free port."""
        server = subprocess.Popen(
            ["bash", "-c", "exec " + command.replace(f"--port {PORT_ON_THE_PAGE}", "--port 0")],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.until_the_end.enter_context(_stopping(server))
        assert server.stdout
        printed = server.stdout.readline() + server.stdout.readline()
        self.port = printed.splitlines()[0].rpartition(":")[2]
        _compare(command, shown=shown.replace(PORT_ON_THE_PAGE, self.port), printed=printed)

    def _run(self, steps: list[tuple[str, str]]) -> None:
        """Run commands in one shell. One may fail only where the next asks ``echo $?``."""
        script = "".join(f'{command}\nstatus=$?\necho; echo "{END} $status"\n(exit $status)\n' for command, _ in steps)
        ran = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )
        parts = re.split(rf"\n{END} (\d+)\n", ran.stdout)
        asked = [following == "echo $?" for following, _ in [*steps[1:], ("", "")]]
        for (command, shown), printed, status, may_fail in zip(steps, parts[::2], parts[1::2], asked, strict=False):
            assert status == "0" or may_fail, f"{command} ended with {status}\n{ran.stderr}"
            _compare(command, shown=shown, printed=printed)


@contextmanager
def _stopping(server: subprocess.Popen[str]) -> Iterator[None]:
    with server:
        try:
            yield
        finally:
            server.terminate()


def _compare(command: str, *, shown: str, printed: str) -> None:
    pattern = re.escape(shown.strip()).replace("…", ".*")
    assert not shown or re.fullmatch(pattern, printed.strip(), re.DOTALL), f"{command} prints\n{printed}"


@pytest.fixture
def reader(tmp_path: Path, settings: dict[str, Any], singer_bin: Path) -> Iterator[Reader]:
    """Somebody who has installed the package and target-jsonl, and has an org (which is ``org``)."""
    paths = [str(BIN), str(singer_bin), os.environ["PATH"]]
    with ExitStack() as until_the_end:
        yield Reader(
            folder=tmp_path,
            env={**os.environ, "PATH": os.pathsep.join(paths), "NO_COLOR": "1"},
            connection=settings,
            until_the_end=until_the_end,
        )


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_followed_word_for_word(page: str, org: Org, reader: Reader) -> None:
    """Every command works as it stands, in the order of the page, and prints what the page shows."""
    org.insert("Account", [{"Name": "Ada"}])
    (reader.folder / "connection.json").write_text(json.dumps(reader.connection))

    for block in blocks(ROOT / page):
        reader.follow(block)

    assert reader.done


def test_each_block_that_is_not_run_is_on_a_page() -> None:
    """No reason outlives its command."""
    found = [block.text for page in PAGES for block in blocks(ROOT / page) if block.language == "console"]

    assert [start for start in NOT_RUN if not any(text.startswith(f"$ {start}") for text in found)] == []


def test_the_tap_goes_on_where_another_tap_has_ended(org: Org, reader: Reader) -> None:
    """The script of docs/migrating.md makes of tap-salesforce's state one that begins at its bookmark."""
    old, new = org.insert("Account", [{"Name": "Old"}, {"Name": "New"}])
    org.clock.advance(86_400)
    org.update("Account", [{"Id": new, "Name": "Newer"}])
    stamps = {row["Id"]: row["SystemModstamp"] for row in org.rows("Account")}
    (script,) = [block.text for block in blocks(ROOT / "docs/migrating.md") if block.file == "convert_state.py"]
    theirs = {"bookmarks": {"Account": {"version": 1, "SystemModstamp": stamps[new]}}}
    converted = subprocess.run(
        ["python", "-c", script], input=json.dumps(theirs), env=reader.env, capture_output=True, text=True, check=True
    )
    (reader.folder / "state.json").write_text(converted.stdout)
    (reader.folder / "config.json").write_text(json.dumps({**reader.connection, "streams_to_discover": ["Account"]}))

    tap = subprocess.run(
        ["tap-salesforce-bulk", "--config", "config.json", "--state", "state.json"],
        cwd=reader.folder,
        env=reader.env,
        capture_output=True,
        text=True,
        check=True,
    )

    messages = [json.loads(line) for line in tap.stdout.splitlines()]
    assert [each["record"]["Name"] for each in messages if each["type"] == "RECORD"] == ["Newer"]
    assert old not in tap.stdout


def test_a_mapping_of_data_loader_is_ours(org: Org, reader: Reader) -> None:
    """The config of docs/migrating.md does what the .sdl file above it did: names, a parent, a constant, a gap."""
    (page,) = [block for block in blocks(ROOT / "docs/migrating.md") if '"stream_maps"' in block.text]
    mapping = json.loads(page.text.replace("Oracle_Id__c", "External_Id__c"))
    names = ["NAME", "ORACLE_ID__C", "PARENT_NO", "LASTMODIFIEDDATE"]
    schema = {"properties": {name: {"type": ["string", "null"]} for name in names}}
    messages = [
        {"type": "SCHEMA", "stream": "accounts", "schema": schema, "key_properties": []},
        {"type": "RECORD", "stream": "accounts", "record": {**dict.fromkeys(names), "NAME": "Up", "ORACLE_ID__C": "1"}},
        {"type": "RECORD", "stream": "accounts", "record": dict(zip(names, ["Down", "2", "1", "x"], strict=True))},
    ]
    (reader.folder / "config.json").write_text(json.dumps({**reader.connection, **mapping}))

    subprocess.run(
        ["target-salesforce-bulk", "--config", "config.json"],
        input="".join(json.dumps(message) + "\n" for message in messages),
        cwd=reader.folder,
        env=reader.env,
        capture_output=True,
        text=True,
        check=True,
    )

    up, down = sorted(org.rows("Account"), key=lambda row: row["External_Id__c"])
    assert (up["Name"], up["Industry"], up["ParentId"]) == ("Up", "Aerospace", None)
    assert (down["Name"], down["Industry"], down["ParentId"]) == ("Down", "Aerospace", up["Id"])


def test_the_key_of_the_page_logs_in(org: Org, url: str, reader: Reader) -> None:
    """JWT bearer with the key pair that docs/connecting.md makes, once the org has the certificate."""
    (recipe,) = [block for block in blocks(ROOT / "docs/connecting.md") if block.text.startswith("$ openssl")]
    reader.follow(recipe)
    certificate = ["openssl", "x509", "-in", "salesforce.crt", "-pubkey", "-noout"]
    org.trust_key(subprocess.run(certificate, cwd=reader.folder, capture_output=True, text=True, check=True).stdout)
    key = reader.folder / "salesforce.key"
    settings = {
        "login_url": url,
        "client_id": "sim-client",
        "username": "sim@example.com",
        "private_key_file": str(key),
    }

    with SalesforceClient(ConnectionConfig.from_settings(settings)) as client:
        assert client.instance_url == url
    assert key.stat().st_mode & 0o777 == 0o600
