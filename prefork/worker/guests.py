"""Who is in the lobby, and what the epoll is to tell of each."""

from select import epoll

from prefork.worker.client import Client, ClientState

# Who leaves first when it is full: last those whose answer would be cut.
LEAST_TO_LOSE = (
    ClientState.QUIET,
    ClientState.LINGERING,
    ClientState.HEAD,
    ClientState.BODY,
    ClientState.DRAINING,
)


class Guests(dict[int, Client]):
    """The clients by their descriptors, in the order of their coming."""

    __slots__ = ("_epoll",)

    def __init__(self, epoll: epoll) -> None:
        self._epoll = epoll

    def keep(self, client: Client, events: int) -> None:
        """Have a client stay; a system call only if it is watched for new events."""
        self[client.fd] = client
        if client.events == events:
            return
        if client.events:
            self._epoll.modify(client.fd, events)
        else:
            self._epoll.register(client.fd, events)
        client.events = events

    def dismiss(self, client: Client) -> None:
        """Close its connection, whether it has stayed before or not."""
        self.pop(client.fd, None)
        client.close()

    def release(self, client: Client) -> None:
        """Close our copy of a connection that goes on elsewhere."""
        if client.events:  # of the other copy the epoll would go on to tell
            self._epoll.unregister(client.fd)
        self.dismiss(client)

    def overdue(self, now: float) -> list[Client]:
        return [client for client in self.values() if client.deadline <= now]

    def with_least_to_lose(self) -> Client | None:
        """Of those in the state that has least to lose, the oldest."""
        for state in LEAST_TO_LOSE:
            for client in self.values():
                if client.state is state:
                    return client
        return None

    def count(self) -> tuple[int, int]:
        """How many are here, and how many of them still take their answer."""
        return len(self), sum(c.state is ClientState.DRAINING for c in self.values())
