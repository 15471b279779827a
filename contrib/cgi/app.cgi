#!/bin/sh
# An application as a CGI program: started for each request, gone after it.  For what
# is asked for too rarely to have a server wait for it.
#
# Install it where the web server expects such programs, with mode 0755; see
# contrib/apache/cgi.conf and contrib/lighttpd/cgi.conf.

exec /srv/app/venv/bin/prefork-wsgi --once --chdir /srv/app app:wsgi
