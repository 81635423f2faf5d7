"""A lean HTTP/1.1 connection, so that those who make the load leave the processor to the one that is measured."""

import asyncio


class Connection(asyncio.Protocol):
    """One request at a time, with a body of a known length in both directions."""

    def __init__(self):
        self._answer = None
        self._received = bytearray()

    @classmethod
    async def open(cls, host, port):
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._received[:head_end]).lower()
        body_at, length = head_end + 4, 0
        length_at = head.find(b"content-length: ")
        if length_at >= 0:
            length = int(head[length_at + 16 :].split(b"\r\n", 1)[0])
        if len(self._received) >= body_at + length:
            body = bytes(self._received[body_at : body_at + length])
            del self._received[: body_at + length]
            answer, self._answer = self._answer, None
            if answer is not None and not answer.done():
                answer.set_result((int(head[9:12]), body))

    def connection_lost(self, error):
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server closed the connection"))

    async def call(self, method, path, body=b"", *, kind="application/json", token=""):
        """Return (status, body)."""
        lines = f"{method} {path} HTTP/1.1\r\nHost: b\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        if token:
            lines += f"Authorization: Bearer {token}\r\n"
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(lines.encode() + b"\r\n" + body)
        return await self._answer

    async def post(self, path, body=b"", **more):
        """Return the body of a success, None for 204; raises RuntimeError for a refusal."""
        status, answer = await self.call("POST", path, body, **more)
        if status >= 300:
            raise RuntimeError(f"POST {path}: status {status}: {answer.decode()}")
        return None if status == 204 else answer

    def close(self):
        self._transport.close()
