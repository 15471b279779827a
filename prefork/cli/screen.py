"""The live view of `prefork top`, drawn by rich (the extra `top`)."""

import time
from collections.abc import Sequence
from math import ceil
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from prefork.cli.calling import Fields, ask
from prefork.cli.keys import Keys
from prefork.cli.status import (
    describe_queue,
    describe_reload,
    describe_workers,
)
from prefork.cli.view import HEAD, RIGHT, View, Viewer, cells, in_order, title
from prefork.errors import CommandError
from prefork.monitor.escape import escape_unprintable
from prefork.monitor.figures import (
    draw_bar,
    draw_sparkline,
    format_count,
    format_duration,
    format_share,
)
from prefork.monitor.rates import Rates

HELP = "↑↓ select   d dump its stacks   r reload   + - scale   q quit"
BAR = 24  # columns
NAMES_AND_RULE = 2  # lines above the workers
FURNITURE = NAMES_AND_RULE + 3  # two blank ones, and help
WIDE = 110  # columns: all of the table, and 20 for the request
COLUMN = 11  # the widest of those that can be left out
EXPENDABLE = ("USS", "SHARED", "GEN", "CPU", "RSS", "PID", "REQUESTS")
LONG = 5.0  # seconds: a request that takes longer catches the eye
VERY_LONG = 20.0
MESSAGE_STAYS = 8.0  # seconds


class Screen:
    """Draws, and does what keys say, until q."""

    def __init__(self, viewer: Viewer, interval: float) -> None:
        self._viewer = viewer
        self._interval = interval
        self._selected: int | None = None  # slot
        self._message = ""
        self._message_until = 0.0
        self._console = Console()

    def run(self) -> None:
        """Until q, or a CommandError: the master is gone."""
        with (
            Keys() as keys,
            Live(console=self._console, screen=True, auto_refresh=False) as live,
        ):
            while self._show_one(live, keys):
                pass

    def _show_one(self, live: Live, keys: Keys) -> bool:
        """Look, and show it for an interval; False: quit."""
        view = self._viewer.look()
        until = time.monotonic() + self._interval
        while True:
            live.update(self._draw(view), refresh=True)
            key = keys.wait(until - time.monotonic())
            if not key:
                return True
            if key == "q":
                return False
            self._obey(key, view)

    # Keys

    def _obey(self, key: str, view: View) -> None:
        match key:
            case "up" | "k":
                self._select(view, -1)
            case "down" | "j":
                self._select(view, +1)
            case "d":
                self._dump()
            case "r":
                self._tell("reload", "the reload begins")
            case "+" | "-":
                self._tell("scale", "workers: {workers}", workers=f"{key}1")

    def _select(self, view: View, step: int) -> None:
        slots = [slot["slot"] for slot in in_order(view)]
        if self._selected in slots:
            index = slots.index(self._selected) + step
            self._selected = slots[max(0, min(index, len(slots) - 1))]
        elif slots:
            self._selected = slots[0]

    def _dump(self) -> None:
        if self._selected is None:
            self._say("select a worker first")
        else:
            text = f"the stacks of worker {self._selected} are in the server's log"
            self._tell("dump", text, slot=self._selected)

    def _tell(self, verb: str, wording: str, **fields: Any) -> None:
        try:
            self._say(wording.format_map(ask(self._viewer.master, verb, **fields)))
        except CommandError as error:
            self._say(str(error))

    def _has_message(self) -> bool:
        return bool(self._message) and time.monotonic() < self._message_until

    def _say(self, message: str) -> None:
        self._message = message
        self._message_until = time.monotonic() + MESSAGE_STAYS

    # Drawing

    def _draw(self, view: View) -> RenderableType:
        head = [
            _line((title(view.status), "bold")),
            *self._draw_figures(view),
        ]
        slots = in_order(view)
        room = self._console.height - len(head) - FURNITURE
        if room >= 1:
            table = self._draw_table(view, self._visible(slots, room))
            return Group(*head, Text(), table, self._draw_foot())
        room = self._console.height - NAMES_AND_RULE - 1
        return Group(
            self._draw_news(view),
            self._draw_table(view, self._visible(slots, max(1, room))),
        )

    def _draw_news(self, view: View) -> Text:
        """All that is said beside the workers where there is one line for it."""
        if self._has_message():
            return _line((self._message, "yellow"))
        return _line((describe_workers(view.status), "bold"))

    def _draw_figures(self, view: View) -> Sequence[Text]:
        status = view.status
        lines = [_draw_workers(status)]
        if view.rates is not None:
            lines = [*self._draw_rates(view.rates, status)]
        for bind in status["binds"]:
            style = "bold red" if bind["queue"] else ""
            text = bind["url"] + describe_queue(bind)
            lines.append(_line(("listening   ", "dim"), (text, style)))
        if text := describe_reload(status["reload"]):
            style = "red" if text.startswith("failed") else ""
            lines.append(_line(("reload      ", "dim"), (text, style)))
        return lines

    def _draw_rates(self, rates: Rates, status: Fields) -> Sequence[Text]:
        room = max(10, min(60, self._console.width - 40))
        busy_style = "red" if rates.busy > 0.9 else "green"
        return [
            _line(
                ("requests/s  ", "dim"),
                (f"{format_count(rates.requests):<8}", "bold"),
                (draw_sparkline(rates.history, room), "cyan"),
            ),
            _line(
                ("busy        ", "dim"),
                (f"{format_share(rates.busy):<8}", "bold"),
                (draw_bar(rates.busy, BAR), busy_style),
                (f"   {describe_workers(status)}", ""),
            ),
            _line(
                ("latency     ", "dim"),
                ("p50 ", "dim"),
                (f"{format_duration(rates.p50):<10}", "bold"),
                ("p99 ", "dim"),
                (f"{format_duration(rates.p99):<10}", "bold"),
                ("errors/s ", "dim"),
                (format_count(rates.errors), "bold red" if rates.errors else "bold"),
            ),
        ]

    def _visible(self, slots: list[Fields], room: int) -> list[Fields]:
        """As many as there is room for, the selected one among them."""
        numbers = [slot["slot"] for slot in slots]
        chosen = numbers.index(self._selected) if self._selected in numbers else 0
        start = max(0, chosen - room + 1)
        return slots[start : start + room]

    def _draw_table(self, view: View, slots: list[Fields]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=True)
        names = [name for name in HEAD if name not in self._find_expendable()]
        for name in names:
            table.add_column(
                name,
                justify="right" if name in RIGHT else "left",
                no_wrap=True,
                overflow="ellipsis",
                ratio=1 if name == "REQUEST" else None,
            )
        for slot in slots:
            is_selected = slot["slot"] == self._selected
            style = f"{_style(slot)} {'reverse' if is_selected else ''}".strip()
            row = dict(zip(HEAD, cells(view, slot), strict=True))
            table.add_row(*(Text(row[name]) for name in names), style=style)
        return table

    def _find_expendable(self) -> Sequence[str]:
        """The columns that a narrow terminal does without."""
        missing = max(0, WIDE - self._console.width)
        return EXPENDABLE[: ceil(missing / COLUMN)]

    def _draw_foot(self) -> Text:
        if self._has_message():
            return Text("\n" + escape_unprintable(self._message), style="yellow")
        return Text("\n" + HELP, style="dim")


def _draw_workers(status: Fields) -> Text:
    return _line(("workers     ", "dim"), (describe_workers(status), ""))


def _line(*parts: tuple[str, str]) -> Text:
    clean = ((escape_unprintable(text), style) for text, style in parts)
    return Text.assemble(*clean, no_wrap=True, overflow="ellipsis")


def _style(slot: Fields) -> str:
    """The colour of a worker: the longer its request, the more it is seen."""
    seconds = slot["request_seconds"] or 0.0
    if seconds >= LONG:
        return "bold red" if seconds >= VERY_LONG else "yellow"
    return {"busy": "green", "idle": "dim"}.get(slot["state"], "magenta")
