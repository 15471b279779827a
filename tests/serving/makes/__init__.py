"""The web servers that prefork is tested behind, by name."""

from serving.makes.apache import APACHE
from serving.makes.caddy import CADDY
from serving.makes.haproxy import HAPROXY
from serving.makes.lighttpd import LIGHTTPD
from serving.makes.nginx import NGINX

MAKES = {make.name: make for make in (NGINX, APACHE, LIGHTTPD, CADDY, HAPROXY)}

__all__ = ["MAKES"]
