"""As many calls as a server can answer, by as little as a client can do: ``flood.py SECONDS PORT…``, the call on
standard input. Prints how many were answered, and the part of a core that it took itself."""

from __future__ import annotations

import select
import socket
import sys
import time

import msgspec

CONNECTIONS = 128


def main() -> None:
    seconds, ports, call = float(sys.argv[1]), [*map(int, sys.argv[2:])], sys.stdin.buffer.read()
    poll, sockets = select.epoll(), {}
    for number in range(CONNECTIONS):
        one = socket.create_connection(("127.0.0.1", ports[number % len(ports)]))
        sockets[one.fileno()] = one
        poll.register(one, select.EPOLLIN)
        one.sendall(call)
    answered, until = 0, time.monotonic() + seconds
    began = time.process_time()
    while time.monotonic() < until:
        for number, _ in poll.poll(1.0):
            answer = sockets[number].recv(65_536)  # small, and written at once
            if not answer.startswith(b"HTTP/1.1 200") or b"Rex" not in answer:
                raise SystemExit(f"a call failed: {answer!r}")
            answered += 1
            sockets[number].send(call)
    print(msgspec.json.encode([answered, (time.process_time() - began) / seconds]).decode())


if __name__ == "__main__":
    main()
