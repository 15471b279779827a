"""Put prefork and other process managers through the same events, side by side.

    python tests/versus/run.py [--only prefork,gunicorn] [--events reload,stop]

Events and what counts as well are in events.py, the servers and their options in
python_servers.py and other_servers.py; what is not installed is left out, and said.
Exit 1 unless all is well with prefork.
"""

import argparse
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.path.insert(0, str(Path(__file__).parents[2]))

from versus.contestant import Contestant, NotApplicableError
from versus.events import EVENTS
from versus.other_servers import Apache, PatientPhpFpm, PhpFpm
from versus.python_servers import Gunicorn, Prefork, Uwsgi, UwsgiNeedApp
from versus.table import format_markdown, format_plain

CONTESTANTS: tuple[type[Contestant], ...] = (
    Prefork,
    Gunicorn,
    Uwsgi,
    UwsgiNeedApp,
    PhpFpm,
    PatientPhpFpm,
    Apache,
)
WELL, UNWELL, NONE = "✓ ", "✗ ", "– "


def measure(title: str, kind: type[Contestant]) -> str:
    """One cell: a mark, and what was seen."""
    with tempfile.TemporaryDirectory(prefix="versus-") as place:
        Path(place).chmod(0o755)
        server = kind(Path(place) / "server")
        try:
            finding = EVENTS[title](server)
            cell = (WELL if finding.is_well else UNWELL) + finding.text
        except NotApplicableError as error:
            cell = NONE + str(error)
        except (OSError, RuntimeError, AssertionError) as error:
            traceback.print_exc()
            cell = f"{UNWELL}could not be measured: {str(error).splitlines()[:1]}"
        finally:
            server.clean_up()
        print(f"{title:36} {kind.name:17} {cell}", file=sys.stderr, flush=True)
        if kind is Prefork and cell.startswith(UNWELL):
            print(server.log, file=sys.stderr)
    return cell


def main() -> int:
    """Measure what was asked for, print the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", default="", help="servers, separated by commas")
    parser.add_argument("--events", default="", help="words in the events' titles")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else []
    if unknown := set(names) - {kind.name for kind in CONTESTANTS}:
        parser.error(f"no such server: {', '.join(sorted(unknown))}")
    kinds = [kind for kind in CONTESTANTS if not names or kind.name in names]
    words = options.events.split(",")
    titles = [title for title in EVENTS if any(word in title for word in words)]

    present = [kind for kind in kinds if kind.version()]
    rows = [[title, *(measure(title, kind) for kind in present)] for title in titles]
    head = ["", *(f"{kind.name} {kind.version()}" for kind in present)]
    if options.markdown:
        print(format_markdown(head, rows))
    else:
        print(
            format_plain(head, rows, width=shutil.get_terminal_size((160, 0)).columns)
        )
    for kind in kinds:
        if kind not in present:
            print(f"{kind.name}: not installed")
    column = present.index(Prefork) + 1 if Prefork in present else 0
    is_well = column and all(row[column].startswith(WELL) for row in rows)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
