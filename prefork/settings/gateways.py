"""What a server has behind it, and the command for each: WSGI, CGI, a program.

To add a gateway, add a row here; `LOADERS` of prefork/template/gateways.py and
`GATEWAYS` of prefork/worker/gateways.py are the other two places it is named in.
With EXEC no request passes through us, since the program accepts by itself: its
workers only look after it, see `LIVES` of prefork/worker/lives.py.
"""

from dataclasses import dataclass

WSGI = "wsgi"
CGI = "cgi"
EXEC = "exec"
SERVING = f"{WSGI} {CGI}"  # those whose workers accept, and see each request


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """How a command introduces itself."""

    prog: str
    operand: str  # as usage names it
    operand_help: str
    about: str  # a sentence
    missing: str  # what to say when it is not given
    loading: str  # what a template does before it can fork workers
    examples: tuple[tuple[str, str], ...]  # what to type, what it does
    protocol: str = ""  # of addresses that name none; "": http
    is_greedy: bool = False  # does all that follows belong to the operand?

    @property
    def page(self) -> str:
        """The name of its man page."""
        return self.prog.replace(" ", "-")


GATEWAYS = {
    WSGI: Gateway(
        prog="prefork-wsgi",
        operand="MODULE:CALLABLE",
        operand_help="the application, such as app:wsgi",
        about="Serve a WSGI application from a pool of pre-forked worker processes.",
        missing="no application: name it here, such as app:wsgi for the\n"
        'callable wsgi of app.py, or in prefork.toml: app = "app:wsgi"',
        loading="importing the application",
        examples=(
            ("prefork-wsgi app:wsgi", "http://127.0.0.1:8000"),
            ("prefork-wsgi -w 8 -b unix:/run/app.sock app:wsgi", "behind a web server"),
            ("prefork-wsgi -c /etc/app.toml", "with a file"),
        ),
    ),
    CGI: Gateway(
        prog="prefork-cgi",
        operand="DIRECTORY|PROGRAM",
        operand_help="where the programs are, or the only one",
        about="Serve CGI programs from a pool of pre-forked worker processes.",
        missing="no programs: name their directory here, such as ./cgi-bin, or\n"
        "a single program, or say --wrap to run what the web server names",
        loading="looking at the programs",
        examples=(
            ("prefork-cgi ./cgi-bin", "http://127.0.0.1:8000"),
            ("prefork-cgi -b fastcgi+unix:/run/cgi.sock ./cgi-bin", "behind nginx"),
            ("prefork-cgi --wrap -b fastcgi+unix:/run/cgi.sock", "as fcgiwrap"),
        ),
    ),
    EXEC: Gateway(
        prog="prefork exec",
        operand="PROGRAM [ARGUMENT]...",
        operand_help="it and what it is given, -- before them",
        about="Keep copies of a FastCGI program running that accept on one socket.",
        missing="no program: name it here, after --, such as -- php-cgi",
        loading="looking for the program",
        examples=(
            ("prefork exec -- php-cgi", "fastcgi://127.0.0.1:8000"),
            ("prefork exec -w 8 -b unix:/run/php.sock -- php-cgi", "behind nginx"),
            ("prefork exec -w 2:8 -b unix:/run/a.sock -- ./a.fcgi", "2 to 8 copies"),
        ),
        protocol="fastcgi",
        is_greedy=True,
    ),
}
