"""An application that changes the modules that its server uses, too."""

import select
import socket

import app

socket.setdefaulttimeout(5)
del select.epoll  # as gevent.monkey.patch_all() does

wsgi = app.wsgi
