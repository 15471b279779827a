"""One connection for people to read: a block of lines for each of its requests.

    #3.1 fastcgi from 127.0.0.1:51234 at 14:02:11.310
           0.0 ms → GET /report?year=2026 HTTP/1.1
    ...

A block is written when its request has been answered; sooner if that takes long, or
if it has become long, and then it is continued.  Bodies are counted, not kept.
"""

from collections.abc import Callable, Sequence

from prefork.monitor.block import BOLD, Block, Paint, leave_plain
from prefork.protocols.watching.events import Event, Side

PATIENCE = 1.0  # seconds until a block is written that has not ended
MOST_LINES = 500  # of a block until it is written


class Page:
    """Where the blocks of all connections are written, one below the other."""

    def __init__(
        self, write: Callable[[str], object], *, paint: Paint = leave_plain
    ) -> None:
        self.paint = paint
        self._write = write
        self._heading = ""  # of the block that was written last

    def add(self, heading: str, lines: Sequence[str], *, is_continued: bool) -> None:
        """Write lines below their heading, unless they continue the last ones."""
        if heading != self._heading or not is_continued:
            again = ", continued" if is_continued else ""
            gap = "\n" if self._heading else ""
            self._write(f"{gap}{self.paint(heading + again, BOLD)}\n")
        self._heading = heading
        self._write("".join(f"{line}\n" for line in lines))


class Transcript:
    """The blocks of one connection."""

    def __init__(
        self, name: str, about: str, page: Page, *, patience: float = PATIENCE
    ) -> None:
        self._name = name
        self._about = about  # what else is in the heading of each block
        self._page = page
        self._patience = patience
        self._blocks: dict[int, Block] = {}  # by number of the request
        self._newest = 0

    def take(
        self, side: Side, events: Sequence[Event], now: float, *, data: bytes = b""
    ) -> None:
        """Note what a side has told, and `data` as it is on the wire."""
        for event in events:
            self._find(event.number, now).take(side, event, now)
        if data:
            number = events[0].number if events else 0
            self._find(number, now).take_bytes(side, data, now)
        for block in [block for block in self._blocks.values() if block.has_ended]:
            self._write(block, now)
            del self._blocks[block.number]
        self.write_old(now)

    def write_old(self, now: float) -> None:
        """Write what has waited, or grown, for long enough."""
        for block in self._blocks.values():
            if now - block.written >= self._patience:
                block.close_run()
                self._write(block, now)
            elif len(block.lines) > MOST_LINES:
                self._write(block, now)

    def finish(self, now: float, reason: str = "") -> None:
        """Write what is left, and why the connection is over."""
        if reason:
            self._find(0, now).conclude(reason, now)
        for block in self._blocks.values():
            block.close_run()
            self._write(block, now)
        self._blocks.clear()

    def _find(self, number: int, now: float) -> Block:
        """The block of that request; of the connection, 0, that of the newest one."""
        number = number or self._newest
        self._newest = max(number, self._newest)
        if number not in self._blocks:
            self._blocks[number] = Block(number, now, self._page.paint)
        return self._blocks[number]

    def _write(self, block: Block, now: float) -> None:
        if block.lines:
            heading = f"{self._name}.{block.number or 1} {self._about}"
            self._page.add(heading, block.lines, is_continued=block.was_written)
            block.lines.clear()
            block.was_written = True
        block.written = now
