"""The few protobuf messages of BuildKit that a build sees, by their field numbers.

Source: protobuf's wire format; buildkit's control.proto (StatusResponse, Vertex, VertexLog) and auth.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def decode_fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the fields that hold bytes: texts and messages. Others are passed over."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            _, at = _varint(message, at)
        elif kind == 1:
            at += 8
        elif kind == 5:
            at += 4
        elif kind == 2:
            length, at = _varint(message, at)
            yield number, message[at : at + length]
            at += length
        else:
            raise ValueError(f"no protobuf message: wire type {kind}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def encode_field(number: int, text: str) -> bytes:
    """Encode a text; an empty one is left out, as protobuf does."""
    if not text:
        return b""
    data = text.encode()
    length, size = b"", len(data)
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def progress(status: bytes) -> list[str]:
    """Return the lines of a StatusResponse: names of the steps, their errors, and what they print."""
    lines = []
    for number, content in decode_fields(status):
        if number == 1:  # Vertex: name is 3, error 7
            lines += [value.decode(errors="replace") for field, value in decode_fields(content) if field in (3, 7)]
        elif number == 3:  # VertexLog: msg is 4
            lines += [value.decode(errors="replace") for field, value in decode_fields(content) if field == 4]
    return lines
