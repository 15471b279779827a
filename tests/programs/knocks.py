"""Clients that ask again and again, each time over a connection of their own.

    python knocks.py ADDRESS CLIENTS      until stdin ends; then what they have seen

ADDRESS is a port, or the path of a unix socket.  Prints a line of JSON: how many
were answered, what went wrong with others, and the longest wait in seconds.
"""

import json
import select
import socket
import sys
import threading
import time

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def knock(address: str) -> str:
    """One request; "": it was answered with 200, else what has happened."""
    stage = "refused"
    try:
        with connect(address) as connection:
            stage = "cut"
            connection.sendall(REQUEST)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError as error:
        return f"{stage}: {error!r}"
    return "" if answer.startswith(b"HTTP/1.1 200") else f"cut: {answer[:60]!r}"


def connect(address: str) -> socket.socket:
    if address.isdecimal():
        return socket.create_connection(("127.0.0.1", int(address)), 60)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(60)
    connection.connect(address)
    return connection


def main(address: str, clients: int) -> None:
    is_over = threading.Event()
    answered, failures, waits = [0], [], [0.0]

    def ask() -> None:
        while not is_over.is_set():
            began = time.monotonic()
            if failure := knock(address):
                failures.append(failure)
            else:
                answered[0] += 1
                waits[0] = max(waits[0], time.monotonic() - began)
            is_over.wait(0.005)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    print("knocking", flush=True)
    select.select([sys.stdin], [], [])
    is_over.set()
    for thread in threads:
        thread.join()
    print(
        json.dumps({"answered": answered[0], "failures": failures, "longest": waits[0]})
    )


main(sys.argv[1], int(sys.argv[2]))
