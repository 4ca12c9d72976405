"""The least that a call can cost in Python on Trio: reads a request, asks the API for the same pet each time, answers.

No checks, no limits, no deadlines, no log. ``--httptools`` reads with that parser; else a head is looked for in the
bytes.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import trio

Read = Callable[[trio.SocketStream], Awaitable[bytes]]

_ASK = b"GET /pets/7 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n"


class Message:
    """Takes a message apart; made anew for each."""

    def __init__(self) -> None:
        self.body = b""
        self.is_whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of no interest."""

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_whole = True


def by_httptools(kind: str) -> Read:
    import httptools  # type: ignore[import-not-found]  # noqa: PLC0415 - only where it is asked for

    made = {"request": httptools.HttpRequestParser, "answer": httptools.HttpResponseParser}[kind]

    async def read(stream: trio.SocketStream) -> bytes:
        message = Message()
        parser = made(message)
        while not message.is_whole:
            if not (data := await stream.receive_some()):
                return b""
            parser.feed_data(data)
        return message.body

    return read


def by_hand(kind: str) -> Read:  # noqa: ARG001 - either is read alike
    async def read(stream: trio.SocketStream) -> bytes:
        received = b""
        while True:
            if not (data := await stream.receive_some()):
                return b""
            received += data
            head, found, body = received.partition(b"\r\n\r\n")
            if found:
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                if len(body) >= length:
                    return bytes(body)

    return read


async def main(api_port: int, how: Callable[[str], Read]) -> None:
    read_request, read_answer = how("request"), how("answer")

    async def serve(stream: trio.SocketStream) -> None:
        api = await trio.open_tcp_stream("127.0.0.1", api_port)
        async with api:
            while body := await read_request(stream):
                call = msgspec.json.decode(body)
                await api.send_all(_ASK)
                text = (await read_answer(api)).decode()
                result = {"content": [{"type": "text", "text": text}]}
                reply = msgspec.json.encode({"jsonrpc": "2.0", "id": call["id"], "result": result})
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                await stream.send_all(head % len(reply) + reply)

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        print(listener.socket.getsockname()[1], flush=True)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), by_httptools if "--httptools" in sys.argv else by_hand)
