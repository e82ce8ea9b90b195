"""The examples of a page of documentation, and how to run them as a reader would."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Example:
    """One block of a page."""

    language: str
    text: str


def examples(page: Path, *, section: str) -> list[Example]:
    """Return the blocks below a heading of the second level, in order."""
    text = page.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [Example(language=name, text=body) for name, body in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)]


def run(example: Example, *, cwd: Path, env: Mapping[str, str]) -> str:
    """Run the lines that begin with ``$`` in one shell; gives all that they printed.

    Each line that is shown has to be printed by its command, in this order; … stands for anything.
    """
    end = "--- end of a command ---"
    steps = re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", example.text, re.MULTILINE)
    script = "".join(f"{command}\necho '{end}'\n" for command, _ in steps)
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for (command, shown), printed in zip(steps, done.stdout.split(f"{end}\n"), strict=False):
        pattern = ".*".join(re.escape(line).replace("…", ".*") for line in shown.splitlines())
        assert re.search(pattern, printed, re.DOTALL), f"{command} does not print\n{shown}\nbut\n{printed}"
    return done.stdout
