"""What is asked, before it is put into the words of a protocol."""

from dataclasses import dataclass, field

from prefork.protocols.path import decode_percent

Pairs = list[tuple[str, str]]
# RFC 9110 8.6: "a user agent normally sends Content-Length in a POST request even when
# the value is 0 (indicating empty content)."  lighttpd answers 411 otherwise.
WITH_CONTENT = {"PATCH", "POST", "PUT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request; all text is latin-1, as in the variables of PEP 3333."""

    method: str = "GET"
    target: str = "/"  # path and query, as they stand in a request line
    host: str = "localhost"  # with its port, if that is not the usual one
    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    script_name: str = ""  # the part of the path that SCRIPT_NAME is to be
    variables: dict[str, str] = field(default_factory=dict)  # said beside, or instead
    secret: str = ""  # of AJP

    @property
    def fields(self) -> Pairs:
        """The fields of HTTP, with those that nobody has written."""
        given = {name.lower() for name, _ in self.headers}
        fields = [] if "host" in given else [("Host", self.host)]
        has_content = self.body or self.method in WITH_CONTENT
        if has_content and not given & {"content-length", "transfer-encoding"}:
            fields.append(("Content-Length", str(len(self.body))))
        return fields + self.headers

    @property
    def meta_variables(self) -> dict[str, str]:
        """The variables of RFC 3875 4.1, as a web server would set them."""
        path, _, query = self.target.partition("?")
        path = decode_percent(path)
        name = self.script_name
        server, _, port = self.host.rpartition(":")
        variables = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "QUERY_STRING": query,
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": self.method,
            "REQUEST_URI": self.target,
            "SCRIPT_NAME": name,
            "PATH_INFO": path.removeprefix(name) if is_within(path, name) else "",
            "SERVER_NAME": server if port.isdigit() else self.host,
            "SERVER_PORT": port if port.isdigit() else "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "prefork",
        }
        return variables | name_variables(self.fields) | self.variables


def is_within(path: str, prefix: str) -> bool:
    """Is it the prefix itself, or something below it?"""
    return path == prefix or path.startswith(prefix + "/")


def name_variables(fields: Pairs) -> dict[str, str]:
    """RFC 3875 4.1.18: fields as the variables that they become."""
    variables: dict[str, str] = {}
    for field_name, value in fields:
        name = field_name.upper().replace("-", "_")
        if name not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            name = "HTTP_" + name
        # RFC 9110 5.3: the values of fields of one name may be joined by commas.
        variables[name] = f"{variables[name]}, {value}" if name in variables else value
    return variables
