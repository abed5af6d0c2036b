"""wattline display: the sixteen places of the meter's display, now and after a change."""

import json

from cyclopts import App
from rich.console import Console
from rich.table import Table

from endpoint.programming import SETTINGS, STATUS
from wattline.cli.options import Json, examples
from wattline.cli.read import Where, road
from wattline.programmer import advice
from wattline.programmer.display import FREE, Display, of_status, sentences
from wattline.programmer.parts import firmware_of

app = App(
    name="display",
    help="See which items a meter's display shows, and what a change would make of it.",
    help_epilogue=examples(
        "wattline display                 the sixteen places as they are",
        "wattline display 10,11,12        as they would be; changes nothing",
        "wattline command display 10,11,12 --port /dev/ttyUSB0 --password-file keys.toml",
    ),
)


@app.default
def display(
    items: str | None = None, /, *, where: Where | None = None, as_json: Json = False
) -> None:
    """Show the places of the meter's display as they are, or as other items would make them.

    What the meter has of its own is never removed or moved; only its own configuration tool can do
    that. Items of the module stand behind, the most important first, until the places are used up.

    Parameters
    ----------
    items
        Numbers of entries in the meter's ST-32 with commas, the most important first, or "none".
    """
    wanted = None if items is None else advice.display_items(items)
    with road(where) as opened:
        shown, dropped = of_status(opened.text(STATUS)), []
        if wanted is not None:
            settings = {**opened.text(SETTINGS), "display": wanted}
            advice.check_display(settings, firmware_of(opened))
            shown, dropped = shown.with_items(wanted)
    said = sentences(shown, dropped)
    if as_json:
        places = [{"item": item, "of": owner} for item, owner in shown.places()]
        found = {"places": places, "meters": shown.meters, "dropped": dropped, "advice": said}
        print(json.dumps(found))
        return
    _print(shown, "The meter's display" + (":" if wanted is None else " as it would be:"))
    print(*said, sep="\n", end="\n" if said else "")


def _print(shown: Display, title: str) -> None:
    print(title)
    table = Table("place", "item", "of")
    for number, (item, owner) in enumerate(shown.places(), 1):
        text = "" if item is None else str(item)
        table.add_row(str(number), text, owner, style="dim" if owner == FREE else None)
    Console().print(table)
