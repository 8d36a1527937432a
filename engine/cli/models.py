"""`models`: what ships."""

from __future__ import annotations

import json
from typing import Any

import click

from engine.cli.table import print_table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The whole cards, for programs.")
def models(as_json: bool) -> None:
    """List the models that ship, with the data they learned from."""
    from engine import zoo

    cards = {name: _card(name) for name in zoo.names()}
    if as_json:
        click.echo(json.dumps(cards, indent=2, ensure_ascii=False))
    elif not cards:
        click.echo("no models ship with this installation")
    else:
        print_table(
            (name, str(card.get("data", "")), str(card.get("licence", "")))
            if card is not None
            else (name, "no card", "")
            for name, card in cards.items()
        )


def _card(name: str) -> dict[str, Any] | None:
    """The card of a shipped model, None if it has none: the model can be sampled all the same."""
    from engine import zoo

    try:
        return zoo.card(name)
    except FileNotFoundError:
        return None
