"""What -h and -v print; the man page says more (man/prefork-fcgi.1)."""

from prefork import __version__

# Our own name and version, then the program whose command line this is.
VERSION = f"prefork-fcgi v{__version__} (ipv6) - does what spawn-fcgi v1.6.4 does"

HELP = """\
Usage: {name} [options] [-- <fcgiapp> [fcgi app arguments]]

{version}

Options:
 -s <path>      listen on a Unix domain socket
 -M <mode>      its mode, in octal (default: 0660, less the umask)
 -p <port>      listen on a TCP port
 -a <address>   ... of this IPv4 or IPv6 address only (default: 0.0.0.0)
 -b <backlog>   how many connections may wait to be accepted (default: 1024)
 -F <children>  how many processes to fork (default: 1)
 -C <children>  for PHP: its own children (default: leave PHP_FCGI_CHILDREN)
 -P <path>      write their process ids to this file (not with -n)
 -n             do not fork: become the program (for daemontools)
 -d <directory> change to this directory before it starts
 -f <path>      the program as a line for /bin/sh; <fcgiapp> goes before it
 -v, --version  print the version
 -?, -h, --help print this
 --supervise    stay, and keep so many running: see prefork-fcgi(1)
 --strict       refuse what can hardly be meant: see prefork-fcgi(1)
(root only)
 -u <user>      run as this user
 -g <group>     ... and as this group (default: the primary one of the user)
 -U <user>      give the socket to this user (default: that of -u)
 -G <group>     ... and to this group (default: the primary one, or that of -g)
 -c <directory> chroot to this directory
 -S             ... when the socket is open already (default: open it in there)

Examples:
 {name} -s /run/php.sock -u www-data -U www-data -- /usr/bin/php-cgi
 {name} -n --strict -p 9000 -a 127.0.0.1 -- ./app.fcgi
 {name} --supervise -s /run/php.sock -u www-data -F 8 -- php-cgi
"""


def format_help(name: str) -> str:
    """The help, for a program of this name."""
    return HELP.format(name=name, version=VERSION).rstrip()
