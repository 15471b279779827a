"""Writes the tables of the man pages, so that they cannot drift.

    python -m prefork.cli.manual [PAGE]...        (man/*.[15] without arguments)

A page is written by hand, except from `.\\" generated: TABLE` to `.\\" end`.
"""

import re
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from textwrap import wrap

from prefork.errors import EXIT_MEANINGS, EXIT_OK
from prefork.settings import FIXED
from prefork.settings.gateways import CGI, EXEC, GATEWAYS
from prefork.settings.process import COMBINED
from prefork.settings.registry import SETTINGS, Setting, settings_of

REGION = re.compile(
    r'(^\.\\" generated: (\w+)\n).*?(?=^\.\\" end$)', re.MULTILINE | re.DOTALL
)

MORE_OF = {  # what is said instead, where it is another matter
    CGI: {
        "app": "Of a directory the path of the URL says which program.",
        "env": "Programs get it, and nothing else of our environment.",
    },
    EXEC: {
        "app": "A FastCGI program that accepts by itself: it has the socket as "
        "descriptor 0, and is found by PATH if it has no slash.  In a file it is one "
        "line, with quotes as in a shell.",
        "env": "The copies see it.",
        "chdir": "The program starts there.",
        "bind": "There is one socket, which all copies share.  An ADDRESS is "
        "HOST:PORT, unix:PATH, unix:@NAME (a socket without a file) or fd://NUMBER (a "
        "socket that is open already).  A program believes whoever connects, so it "
        "should be a unix socket or on 127.0.0.1; elsewhere there is a warning.",
        "workers": "So many copies run.  With MIN:MAX as many as the load asks for: "
        "1 more, then 2, 4, 8 a second, while connections wait in the queue of the "
        "socket, and less when for long none has.",
        "graceful_timeout": "Then a copy that was asked to leave is killed, with all "
        "that it has started.",
        "bake": "Automatic is 2 seconds.",
    },
}
MORE = {  # what a line of help has no room for
    "app": "A module alone stands for its callable named application.  The callable "
    "may be dotted, or a factory that takes no arguments: app:make_app().",
    "env": "The value is set before the application is imported.",
    "once": "That is, answer the one request that is in the environment and stdin, to "
    "stdout, and exit; a web server starts another for the next.  Automatic is so when "
    "GATEWAY_INTERFACE is set and stdin is no listening socket.  Of the other settings "
    "those count that belong to the application, and --max-body, --body-buffer, "
    "--umask, --log-level and --log-format.",
    "bind": "An ADDRESS is [PROTOCOL://]HOST:PORT, [PROTOCOL+]unix:PATH, unix:@NAME "
    "(a socket without a file) or fd://NUMBER (a socket that is open already).  Port "
    "0 lets the system choose.  A socket file on which nobody listens is replaced, "
    "one that is in use never.  PROTOCOL is http unless it is said, or fastcgi, scgi, "
    "uwsgi, ajp, or auto, which tells them apart by the first byte of a connection.  "
    "All but http believe whoever connects, who the client is and who has logged in: "
    "they should be unix sockets or on 127.0.0.1.  Elsewhere there is a warning, and "
    "auto is refused.  If none is set and stdin is a listening socket, as of a program "
    "that spawn-fcgi or a web server has started, FastCGI is spoken there.",
    "workers": "Each serves one request at a time.  With MIN:MAX there are as many "
    "as the load asks for: more when too few are idle or connections queue, and less "
    "when they have been idle for long.  With 0:MAX the last one leaves too, and the "
    "next connection brings one back; the application stays imported.",
    "spare_workers": "Automatic is a tenth of the workers, at least one; with "
    "0:MAX none.",
    "idle_timeout": "One leaves when so long fewer were busy at once, and others "
    "follow, a twelfth of that time apart.  When workers that have left are missed "
    "soon, the time is doubled, up to fifteen times as long.",
    "preload": "Automatic is like --preload, unless the import leaves threads or "
    "connections behind, which a fork cannot take along: then each worker imports the "
    "application by itself, as with --no-preload.",
    "script_name": "Where the application is mounted, such as /app: SCRIPT_NAME is "
    "that, whatever a web server says, and PATH_INFO has what follows; all of the "
    "path where it begins with something else.  Without it SCRIPT_NAME is what the "
    "web server says, and empty over HTTP.",
    "refork_after": "When a worker has served the first of these numbers of requests, "
    "it is replaced and becomes the template of the others; when one of those has "
    "served the second, again; and so on.  What has come into memory since the import "
    "is shared then; and so is any state that those requests have left behind.  A "
    "worker with threads, child processes or open connections declines.",
    "canary_path": "The first new worker is asked for it by GET; with a status of 500 "
    "or more, or without an answer, the reload is undone.",
    "bake": "It serves beside the old ones; if it dies, the reload is undone.  "
    "Automatic is 2 seconds, and with --reload 0.",
    "reload": "For development; needs prefork[reload].  It watches the directories of "
    "the modules that were imported, except installed ones, and the configuration; "
    "with --no-preload, the working directory.  While new code cannot be imported, the "
    "old goes on.",
    "reload_extra_file": "A GLOB such as templates/**/*.html; needs --reload.",
    "timeout": "Where an overdue worker is, in all its threads, goes to the log; then "
    "the worker is killed and replaced.",
    "max_timeout": "It does so with environ['prefork.deadline'].extend(seconds), which "
    "returns what is left; .remaining() tells it beforehand.",
    "graceful_timeout": "What takes longer is cut off, and counted in the log.",
    "socket_protocol": "What is spoken at the sockets that systemd opens for us and "
    "calls NAME (FileDescriptorName= of a socket unit).\n"
    "One that is called as a protocol needs no such word, and one that is not named "
    "at all speaks the default.",
    "ajp_secret": "AJP beyond this machine needs one.  Front ends that do not say it "
    "are answered with 403; it is secret=... of Apache's ProxyPass.  Everybody on this "
    "machine can read a command line: set it in the file, which others must not be "
    "able to read, or by the variable.",
    "keep_alive": "Of a connection that has had an answer.",
    "frontend_keep_alive": "Web servers keep such connections for a minute or so, and "
    "lose what they send on one that is being closed.",
    "slow": "The request goes on.",
    "relief": "Those that its worker keeps waiting, when it has taken a fifth of a "
    "second and other workers are idle.  The worker is sent SIGURG for it, by which "
    "sleep(3) or poll(2) of the application's C code may end early; then this is for "
    "you to turn off.",
    "max_requests": "The new worker is ready before the old one leaves, and one "
    "leaves at a time.  The same goes for the other limits here.",
    "lobby_size": "They are new, or still sending a request, or idle, or still "
    "reading an answer.  When there are more, the one that was idle longest is closed.",
    "body_buffer": "The rest of a larger body is read while the application runs, so "
    "a slow client then takes up a worker.",
    "max_body": "A larger one is refused with status 413.",
    "limit_request_line": "A longer one is refused with status 414.",
    "limit_request_fields": "More are refused with status 431.",
    "limit_request_field_size": "A longer one is refused with status 431.",
    "limit_variables": "Of FastCGI, SCGI, uwsgi and AJP, where each header field is "
    "one of them.  More are refused with status 431.",
    "limit_variables_size": "Names and values; more is refused with status 431.  A "
    "packet of uwsgi never has more than 64K.",
    "forwarded_allow_ips": "Addresses, networks such as 10.0.0.0/8, unix for whoever "
    "connects to a unix socket, * for everybody.  Of others the fields "
    "X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and Forwarded are ignored.",
    "proxy_protocol": "Of any protocol, version 1 or 2 of the header; it says who the "
    "client is.  Every proxy in front has to send one, since a connection without a "
    "header is refused.",
    "proxy_allow_ips": "These may send such a header: addresses, networks, unix, or * "
    "for everybody.  Whoever else connects is closed without an answer, and logged.",
    "wrap": "As fcgiwrap does: the program is SCRIPT_FILENAME, or what DOCUMENT_ROOT, "
    "SCRIPT_NAME and PATH_INFO lead to.  Whoever can connect can then run any program "
    "that --allow leaves to be run.",
    "allow": "A program or a directory.  With --wrap no other is run; otherwise links "
    "may lead there, out of the directory that is served.",
    "cgi_timeout": "A program that neither writes nor, while there is something to "
    "read, reads for so long is sent TERM, and two seconds later KILL, with all "
    "processes that it has started.  The client gets a 504, or sees its answer cut.",
    "cgi_cpu": "RLIMIT_CPU of getrlimit(2), for each of its processes.",
    "cgi_memory": "RLIMIT_AS of getrlimit(2), for each of its processes.",
    "cgi_nproc": "RLIMIT_NPROC of getrlimit(2): all processes of the user that the "
    "program runs as count, workers too.  It does not hold back root.",
    "user": "The master stays who it is; the change comes before the application is "
    "imported.",
    "nice": "Only root may set one that is lower than its own.",
    "cpu_affinity": "Worker n runs on the n-th processor of the list only, and when "
    "there are more workers the list begins again; auto is a list of all that the "
    "server may run on.",
    "rlimit": "It is a limit of getrlimit(2) in small letters, such as nofile=4096, "
    "core=0, as=2G or stack=unlimited, and becomes both the soft and the hard one.  "
    "Only root may raise a hard one.  The master keeps its own.",
    "daemon": "The command waits until workers are ready, or says why they are not.  "
    "What is logged from then on is lost unless there is an error_logfile, or stderr "
    "is a file: a warning says so.  systemd needs it in a unit with Type=forking only.",
    "control": "A path, @NAME (a socket without a file), or none.  Only root and the "
    "user of the master are heard there.",
    "pid": "The file is locked as long as the master runs, so a file that was left "
    "behind is no obstacle.",
    "settle": "One that ends before is taken for broken: the start fails, a reload is "
    "undone, or the next one comes with back-off.  It serves from the first moment.",
    "retire_signal": "USR1 is what programs made with libfcgi finish by, and php-cgi "
    "without children of its own; others want TERM.",
    "frontend_errors": "What the application writes to wsgi.errors, or a CGI program "
    "to stderr, goes to our log, and over FastCGI, which alone has a way, to the error "
    "log of the web server as well: line by line, and together with the next piece of "
    "the answer.",
    "access_logformat": f"The default, combined, is {COMBINED}.",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Fill the tables of the pages; return the exit status."""
    paths = sys.argv[1:] if argv is None else argv
    for page in map(Path, paths) if paths else Path("man").glob("*.[15]"):
        page.write_text(fill(page.read_text()))
    return EXIT_OK


def fill(page: str) -> str:
    """Return the page with its tables written anew."""
    return REGION.sub(lambda region: region[1] + format_table(region[2]), page)


def format_table(name: str) -> str:
    """Write the table of that name."""
    return "".join(f"{line}\n" for line in TABLES[name]())


def _format_options(gateway: str) -> Iterator[str]:
    return _format_groups(settings_of(gateway), partial(_format_option, gateway))


def _format_keys() -> Iterator[str]:
    return _format_groups(SETTINGS.values(), _format_key)


def _format_statuses() -> Iterator[str]:
    yield ".Bl -tag -width Ds"
    for status, meaning in EXIT_MEANINGS.items():
        yield f".It {status}"
        yield from _format_text(_sentence(meaning))
    yield ".El"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    **{f"{name}_options": partial(_format_options, name) for name in GATEWAYS},
    "keys": _format_keys,
    "statuses": _format_statuses,
}


def _format_groups(
    settings: Collection[Setting], format_one: Callable[[Setting], Iterator[str]]
) -> Iterator[str]:
    for group in dict.fromkeys(setting.group for setting in settings):
        yield f".Ss {group}"
        yield ".Bl -tag -width Ds"
        for setting in settings:
            if setting.group == group:
                yield from format_one(setting)
        yield ".El"


def _format_option(gateway: str, setting: Setting) -> Iterator[str]:
    value = f"Ar {setting.metavar}" if setting.metavar else ""
    yield " ".join(filter(None, (".It", _format_flags(setting), value)))
    more = (MORE | MORE_OF.get(gateway, {})).get(setting.name, "")
    yield from _format_text(f"{_sentence(setting.help)} {more}")
    if setting.name in FIXED:
        yield "A reload does not change it."
    yield from _format_default(setting)


def _format_key(setting: Setting) -> Iterator[str]:
    yield f".It Ic {setting.name} No = Ar {setting.kind.name}"
    yield from _format_text(_sentence(setting.help))
    if len(setting.gateways) < len(GATEWAYS):
        yield from _format_text(f"Of {setting.owners} only.")
    yield from _format_default(setting)
    yield "Also"
    yield f".Ev {setting.variable}" + ("" if setting.flags else " .")
    if setting.flags:
        yield "and"
        yield f".{_format_flags(setting)} ."


def _format_flags(setting: Setting) -> str:
    flags = list(setting.flags)
    if setting.kind.is_switch:
        flags.append(setting.flag.replace("--", "--no-"))
    return " , ".join(f"Fl {flag[1:]}" for flag in flags)


def _format_default(setting: Setting) -> Iterator[str]:
    if setting.shown_default:
        yield from _format_text(f"Default: {setting.shown_default}.")


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _format_text(text: str) -> Iterator[str]:
    """Write text as mdoc(7) has it: a line for each sentence, or for part of one."""
    for sentence in re.split(r"(?<=\.)\s+(?=[A-Z]|$)", text.strip()):
        for line in wrap(sentence, 78, break_on_hyphens=False):
            escaped = line.replace("\\", "\\e").replace("--", "\\-\\-")
            # A dot or an apostrophe would begin a request to the formatter.
            yield re.sub(r"^(?=[.'])", r"\\&", escaped)


if __name__ == "__main__":
    sys.exit(main())
