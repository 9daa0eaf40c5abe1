"""Finds known texts in other text however they are written there: plain, escaped or encoded, in any nesting.

One idea instead of a table of every encoding: a text is undone layer by layer (escapes of URLs, JSON and HTML; runs of
base64, base32 and hexadecimal), what is looked for is compared with each layer, and where it is found, its place in
the first layer is known. So percent-encoding twice, JSON in JSON in JSON, base64 at any offset and of UTF-16, and all
their mixtures are found alike. The work is linear in the length of the text, and independent of the number of texts
looked for where these are many.

Sources: RFC 3986 (percent-encoding), RFC 8259 (JSON), RFC 4648 (base64, base32, base16), HTML (character references).
"""

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

LAYERS = 8
"""Escapes are undone this many times: three of JSON, two of URLs and one of HTML leave two to spare."""
DEPTH = 3
"""Encoded runs within encoded runs that are followed."""
SHORTEST = 4
"""Characters of the shortest text that is looked for inside others."""
SHORTEST_ENCODED = 6
"""Characters of the shortest text that is looked for inside encoded runs."""
FEW = 40
"""Up to this many texts are looked for one by one, more by their first characters."""

_ESCAPE = re.compile(
    r"%[c-fC-F][0-9a-fA-F](?:%[89abAB][0-9a-fA-F]){1,3}|%[0-9a-fA-F]{2}"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[\"'\\/bfnrt]"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_STANDARD = str.maketrans("-_", "+/")

Span = tuple[int, int]


class Finder:
    """Finds a set of texts, made once and asked often."""

    def __init__(self, texts: Iterable[str]) -> None:
        """`texts`: what is looked for; those shorter than SHORTEST are left out."""
        forms = {form for text in texts for form in _forms(text)}
        self._plain = _Search(forms)
        self._encoded = _Search(form for form in forms if len(form) >= SHORTEST_ENCODED)
        size = self._encoded.shortest
        self._runs = re.compile(rf"[A-Za-z0-9+/_-]{{{-(-size * 4 // 3)},}}={{0,6}}") if size else None
        self._base32 = re.compile(rf"(?:[A-Z2-7]{{{size},}}|[a-z2-7]{{{size},}})={{0,6}}")
        self._hexadecimal = re.compile(rf"[0-9a-fA-F]{{{size * 2},}}")

    def __bool__(self) -> bool:
        return bool(self._plain.shortest)

    def spans(self, text: str) -> list[Span]:
        """Where the texts stand in `text`, from left to right and without overlap. An encoded run that holds one is
        given as a whole."""
        if not self or len(text) < self._plain.shortest:  # undoing and decoding make a text shorter, never longer
            return []
        found: list[Span] = []
        checked: set[str] = set()
        for layer in _layers(text):
            places = self._plain.spans(layer.text)
            if self._runs is not None:
                for match in self._runs.finditer(layer.text):
                    run = match.group()
                    if run not in checked:
                        checked.add(run)
                        if self._run_holds(run, DEPTH):
                            places.append(match.span())
                            checked.discard(run)  # the same run elsewhere counts as well
            found += [layer.origin(*place) for place in places]
        return _merged(found)

    def _run_holds(self, run: str, depth: int) -> bool:
        return any(self._holds(decoded, depth - 1) for decoded in self._decodings(run))

    def _holds(self, text: str, depth: int) -> bool:
        for layer in _layers(text):
            if self._encoded.holds(layer.text):
                return True
            if depth and self._runs is not None:
                for match in self._runs.finditer(layer.text):
                    if self._run_holds(match.group(), depth):
                        return True
        return False

    def _decodings(self, run: str) -> Iterator[str]:
        """What a run can stand for, a byte a character (Latin-1). It may begin anywhere: what stands before the
        encoded text can belong to its alphabet."""
        plain = run.rstrip("=").translate(_STANDARD)
        for start in range(min(4, len(plain))):
            yield _decoded(base64.b64decode, plain[start:], 4, (1,))
        for match in self._hexadecimal.finditer(run):
            for start in (0, 1):
                yield _decoded(bytes.fromhex, match.group()[start:], 2, (1,))
        for match in self._base32.finditer(run):
            upper = match.group().rstrip("=").upper()
            for start in range(min(8, len(upper))):
                yield _decoded(base64.b32decode, upper[start:], 8, (1, 3, 6))


def _forms(text: str) -> Iterator[str]:
    """A text as it can stand in a layer: as it is, as bytes of UTF-8 and UTF-16 read as Latin-1, in a form (where a
    space is a plus sign), and with what looks like an escape in it undone as well."""
    for layer in _layers(text):
        for form in {layer.text, layer.text.strip(), layer.text.replace(" ", "+"), layer.text.replace("\n", "\r\n")}:
            if len(form) >= max(SHORTEST, len(text) // 2):
                yield form
                for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
                    yield form.encode(encoding, "surrogatepass").decode("latin-1")


def _decoded(decode: Callable[[str], bytes], text: str, group: int, never: tuple[int, ...]) -> str:
    """A cut run decoded as far as it goes. `never`: lengths that no whole encoding leaves over in its last group."""
    over = len(text) % group
    while over in never:
        over -= 1
        text = text[:-1]
    if over and group > 2:
        text += "=" * (group - over)
    try:
        return decode(text).decode("latin-1")
    except binascii.Error:
        return ""


class _Search:
    """Looks for many texts at once."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = sorted(set(texts), key=lambda text: (-len(text), text))
        self.shortest = len(self._texts[-1]) if self._texts else 0
        self._starts: dict[str, list[str]] = {}
        if len(self._texts) > FEW:
            for text in self._texts:
                self._starts.setdefault(text[: self.shortest], []).append(text)

    def _candidates(self, text: str) -> Iterable[str]:
        if not self._starts:
            return self._texts
        size = self.shortest
        pieces = {text[at : at + size] for at in range(len(text) - size + 1)}
        return [item for piece in pieces & self._starts.keys() for item in self._starts[piece]]

    def holds(self, text: str) -> bool:
        return any(item in text for item in self._candidates(text))

    def spans(self, text: str) -> list[Span]:
        found = []
        for item in self._candidates(text):
            at = text.find(item)
            while at >= 0:
                found.append((at, at + len(item)))
                at = text.find(item, at + len(item))
        return found


class _Layer:
    """A text with some escapes undone, and where each part of it stood in the layer before."""

    def __init__(self, text: str, before: "_Layer | None" = None) -> None:
        self.text, self.before = text, before
        self.starts: list[int] = []  # of every part in this layer; a part is an undone escape or what lies between
        self.parts: list[tuple[int, int, bool]] = []  # where it stood in the layer before, and whether it is an escape

    def origin(self, start: int, end: int) -> Span:
        """The place in the first layer."""
        layer = self
        while layer.before is not None:
            start, end = layer._place(start)[0], layer._place(end - 1)[1]
            layer = layer.before
        return start, end

    def _place(self, at: int) -> Span:
        number = bisect_right(self.starts, at) - 1
        start, end, escape = self.parts[number]
        if escape:
            return start, end
        at = start + at - self.starts[number]
        return at, at + 1

    def undone(self) -> "_Layer | None":
        """The next layer; None where nothing is left to undo."""
        pieces: list[str] = []
        layer = _Layer("", self)
        text, at, length = self.text, 0, 0
        for match in _ESCAPE.finditer(text):
            start, end = match.span()
            plain = _undone(match.group())
            if start > at:
                layer.starts.append(length)
                layer.parts.append((at, start, False))
                pieces.append(text[at:start])
                length += start - at
            layer.starts.append(length)
            layer.parts.append((start, end, True))
            pieces.append(plain)
            length += len(plain)
            at = end
        if not pieces:
            return None
        if at < len(text):
            layer.starts.append(length)
            layer.parts.append((at, len(text), False))
            pieces.append(text[at:])
        layer.text = "".join(pieces)
        return layer if layer.text != text else None


def _layers(text: str) -> Iterator[_Layer]:
    layer: _Layer | None = _Layer(text)
    for _ in range(LAYERS):
        if layer is None:
            return
        yield layer
        if not ("%" in layer.text or "\\" in layer.text or "&" in layer.text):
            return
        layer = layer.undone()


def _undone(escape: str) -> str:
    if escape[0] == "%":
        return bytes.fromhex(escape.replace("%", "")).decode("utf-8", "surrogateescape")
    if escape[0] == "&":
        from html import unescape  # brings a large table, which most previews do not need

        return unescape(escape)
    if escape[1] in "ux":
        units = [int(unit, 16) for unit in re.findall(r"[0-9a-fA-F]{4}|(?<=x)[0-9a-fA-F]{2}", escape)]
        if len(units) == 2:
            return chr(0x10000 + ((units[0] - 0xD800) << 10) + (units[1] - 0xDC00))
        return chr(units[0])
    return _LETTERS.get(escape[1], escape[1])


def _merged(spans: list[Span]) -> list[Span]:
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start < result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result
