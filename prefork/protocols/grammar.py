"""The words of HTTP, as patterns, each under its ABNF.

All of them are to be used with `fullmatch`, except where a line says otherwise.
Quantifiers of a character are possessive wherever a match could otherwise be tried
twice: a hostile text then costs as much as an honest one.  Those of a group are not,
since Python before 3.11.5 matches too much with them (gh-106052); there no two
alternatives begin with the same character, which serves as well.
"""

import re

# RFC 9110 5.6.2
#   token = 1*tchar
#   tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" /
#           "_" / "`" / "|" / "~" / DIGIT / ALPHA
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
TOKEN = re.compile(_TOKEN)

# RFC 9110 5.6.3
#   OWS = BWS = *( SP / HTAB )
_OWS = r"[ \t]*+"

# RFC 9110 5.6.4
#   quoted-string  = DQUOTE *( qdtext / quoted-pair ) DQUOTE
#   qdtext         = HTAB / SP / %x21 / %x23-5B / %x5D-7E / obs-text
#   quoted-pair    = "\" ( HTAB / SP / VCHAR / obs-text )
_QDTEXT = r"[\t !#-\[\]-~\x80-\xff]"
_QUOTED_STRING = rf'"(?:{_QDTEXT}|\\[\t -~\x80-\xff])*"'
QUOTED_PAIR = re.compile(r"\\(.)")  # for sub: r"\1"

# RFC 9110 5.5, where CR, LF and NUL are singled out, and other CTLs allowed to
# be refused, as they are here.
#   field-value    = *field-content
#   field-vchar    = VCHAR / obs-text
_PLAIN_BYTES = {0x09, *range(0x20, 0x7F), *range(0x80, 0x100)}
PLAIN_TEXT = re.compile(r"[\t -~\x80-\xff]*+")

# For `translate`, then `count(0)`: how many bytes are not plain.  In a head, two
# for each line end; one more is a bare CR, a bare LF, a NUL or its like.  A sixth
# of what a search for a pattern costs.
NOT_PLAIN_AS_NUL = bytes(byte in _PLAIN_BYTES for byte in range(0x100))

# For `search`, in a head or in the part of one that has arrived: a line end that
# is not CRLF, or another control character.  A CR that comes last may be half of
# a CRLF.
NOT_PLAIN = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# RFC 9110 9.1
#   method         = token
# "By convention, standardized methods are defined in all-uppercase US-ASCII
# letters"; a method that is not is a client's mistake or a probe.
METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Z-]{1,32}")

# RFC 9112 2.3
#   HTTP-version  = %s"HTTP" "/" DIGIT "." DIGIT
VERSION = re.compile(r"HTTP/[0-9]\.[0-9]")

# RFC 9112 3.2.2
#   absolute-form  = absolute-URI
ABSOLUTE_FORM = re.compile(
    r"[Hh][Tt][Tt][Pp][Ss]?://(?P<authority>[^/?]*+)(?P<path>[^?]*+)(?:\?(?P<query>.*+))?"
)

# RFC 9110 7.2, RFC 3986 3.2.2
#   Host       = uri-host [ ":" port ]
#   host       = IP-literal / IPv4address / reg-name
#   reg-name   = *( unreserved / pct-encoded / sub-delims )
#   port       = *DIGIT
# Stricter in three ways: the name is not empty (RFC 9110 4.2.1: "A recipient that
# processes such a URI reference MUST reject it as invalid"), it has no comma,
# which is how a proxy joins two Hosts, and the IPv6 address is only looked at.
HOST = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]"
    r"|(?:[0-9A-Za-z._~!$&'()*+;=-]|%[0-9A-Fa-f]{2}){1,255})"
    r"(?::(?P<port>[0-9]{0,5}+))?"
)

# RFC 9110 8.6
#   Content-Length = 1*DIGIT
# No body has more than 18 digits of bytes.
CONTENT_LENGTH = re.compile(r"[0-9]{1,18}")

# RFC 9112 7
#   transfer-coding    = token *( OWS ";" OWS transfer-parameter )
#   transfer-parameter = token BWS "=" BWS ( token / quoted-string )
TRANSFER_CODING = re.compile(
    rf"(?P<name>{_TOKEN})"
    rf"(?:{_OWS};{_OWS}{_TOKEN}{_OWS}={_OWS}(?:{_TOKEN}|{_QUOTED_STRING}))*"
)

# RFC 9112 7.1, 7.1.1
#   chunk-size     = 1*HEXDIG
#   chunk-ext      = *( BWS ";" BWS chunk-ext-name
#                       [ BWS "=" BWS chunk-ext-val ] )
#   chunk-ext-val  = token / quoted-string
CHUNK_LINE = re.compile(
    (
        r"(?P<size>[0-9A-Fa-f]{1,16}+)(?P<extensions>"
        rf"(?:{_OWS};{_OWS}{_TOKEN}(?:{_OWS}={_OWS}(?:{_TOKEN}|{_QUOTED_STRING}))?)*)"
    ).encode()
)
# What may still become one, a CR included: a line is refused as soon as it can
# not be, rather than when its end arrives, which it may never do.
CHUNK_LINE_SO_FAR = re.compile(
    rb"(?:[0-9A-Fa-f]{1,16}+(?:[ \t]*+(?:;[\t -~\x80-\xff]*+)?)\r?)?"
)

# RFC 7239 4
#   forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
#   forwarded-pair    = token "=" value
#   value             = token / quoted-string
# For `match`: one pair, or none, and the delimiter or the end behind it.
FORWARDED_PAIR = re.compile(
    rf"{_OWS}(?:(?P<name>{_TOKEN})=(?P<value>{_TOKEN}|{_QUOTED_STRING}))?"
    rf"{_OWS}(?P<end>[;,]|\Z)"
)

# RFC 3986 3.2.2
#   IPv4address = dec-octet "." dec-octet "." dec-octet "." dec-octet
_DEC_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = re.compile(rf"(?:{_DEC_OCTET}\.){{3}}{_DEC_OCTET}")

# RFC 7239 6, and the same without brackets, as X-Forwarded-For has it
#   node     = nodename [ ":" node-port ]
#   nodename = IPv4address / "[" IPv6address "]" / "unknown" / obfnode
NODE = re.compile(
    r"(?P<v4>[0-9.]{7,15}+)(?::[0-9A-Za-z._-]++)?"
    r"|\[(?P<v6>[0-9A-Fa-f:.]{2,45}+)\](?::[0-9A-Za-z._-]++)?"
    r"|(?P<bare_v6>[0-9A-Fa-f:.]{2,45}+)"
)
