"""``salesforce-bulk simulate`` and ``salesforce-bulk-simulator``: the simulator's own program, with its own options."""

from __future__ import annotations

import importlib

import click

_EXTRA = 'the simulator is an extra: install "singer-salesforce-bulk[simulator]", as the README shows under "Install"'


def _simulator() -> click.Command:
    try:
        program: click.Command = importlib.import_module("salesforce_bulk_simulator.cli").main
    except ModuleNotFoundError as error:
        return _without_the_extra(str(error.name))
    return program


def _without_the_extra(module: str) -> click.Command:
    @click.command(context_settings={"ignore_unknown_options": True}, help=f"Not installed: {_EXTRA}")
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def simulate(arguments: tuple[str, ...]) -> None:  # noqa: ARG001  they are the simulator's
        raise click.ClickException(f"{_EXTRA} (the module {module} is missing)")

    return simulate


simulate = _simulator()
