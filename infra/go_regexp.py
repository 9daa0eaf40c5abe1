"""Regular expressions of Go, as far as a pattern of a .dockerignore can hold them, in Python's syntax.

Source: https://pkg.go.dev/regexp/syntax. A backslash before a letter, a class in a class and the like reach Docker's
matcher as they stand in the ignore file, and mean there what they mean in Go.
"""

import re

_CONTROL = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SETS = {
    "d": r"\d", "D": r"\D", "w": r"\w", "W": r"\W",
    "s": r"\t\n\f\r ", "S": r"\x00-\x08\x0b\x0e-\x1f!-\U0010ffff",
}  # fmt: skip
_ANCHORS = {"A": r"\A", "b": r"\b", "B": r"\B", "z": r"\Z"}
_NAMED = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t-\r ",
    "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_SAME = frozenset("^(.*/)?|")
"""What means the same in both."""
_REPEATED = re.compile(r"\{\d{1,3}(,\d{0,3})?\}")


class ExpressionError(ValueError):
    """The text is no expression; the message is the end of a sentence."""


def from_go(text: str) -> re.Pattern[str]:
    """The expression, with the end of the text after it. Raises `ExpressionError`."""
    try:
        return re.compile(_Translation(text).whole() + r"\Z", re.ASCII)
    except re.error as error:
        raise ExpressionError(str(error)) from None


class _Translation:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def _more(self) -> bool:
        return self._at < len(self._text)

    def _next(self) -> str:
        if not self._more():
            raise ExpressionError("a [ has no ]")
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, wanted: str) -> bool:
        found = self._text.startswith(wanted, self._at)
        self._at += len(wanted) * found
        return found

    def whole(self) -> str:
        parts = []
        while self._more():
            character = self._next()
            if character == "[":
                parts.append(self._class())
            elif character == "\\":
                parts.append(self._escape())
            elif character == "{" and (repeated := _REPEATED.match(self._text, self._at - 1)):
                self._at = repeated.end()
                parts.append(repeated.group())
            else:
                parts.append(character if character in _SAME else re.escape(character))
        return "".join(parts)

    def _escape(self) -> str:
        for letter, meaning in _ANCHORS.items():
            if self._take(letter):
                return meaning
        for letter, meaning in _SETS.items():
            if self._take(letter):
                return f"[{meaning}]"
        if self._take("Q"):
            quoted, _, rest = self._text[self._at :].partition("\\E")
            self._at = len(self._text) - len(rest)
            return re.escape(quoted)
        return re.escape(self._character())

    def _character(self) -> str:
        """What a backslash makes of the text after it."""
        character = self._next()
        if character in _CONTROL:
            return _CONTROL[character]
        octal = re.compile("0[0-7]{0,2}|[1-7][0-7]{1,2}").match(self._text, self._at - 1)
        if octal:
            self._at = octal.end()
            return chr(int(octal.group(), 8))
        digits = re.compile("[0-9A-Fa-f]{2}").match(self._text, self._at)
        if character == "x" and digits:
            self._at = digits.end()
            return chr(int(digits.group(), 16))
        if character.isalnum() or not character.isascii():
            raise ExpressionError(f"a backslash has no meaning before {character}; folders are separated by /")
        return character

    def _class(self) -> str:
        negated = self._take("^")
        members: list[str] = []
        while not members or not self._take("]"):
            members.append(self._named() or self._set() or self._range())
        return f"[{'^' if negated else ''}{''.join(members)}]"

    def _named(self) -> str | None:
        """[:alpha:] and the like."""
        end = self._text.find(":]", self._at + 2)
        if not self._text.startswith("[:", self._at) or end < 0:
            return None
        name = self._text[self._at + 2 : end]
        meaning = _NAMED.get(name.removeprefix("^"))
        if meaning is None or name.startswith("^"):
            raise ExpressionError(f"[:{name}:] is no class of characters here")
        self._at = end + 2
        return meaning

    def _set(self) -> str | None:
        for letter, meaning in _SETS.items():
            if self._take("\\" + letter):
                return meaning
        return None

    def _range(self) -> str:
        low = high = self._member()
        if self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at):
            self._at += 1
            high = self._member()
        if high < low:
            raise ExpressionError(f"the range {low}-{high} is empty")
        return f"{re.escape(low)}-{re.escape(high)}"

    def _member(self) -> str:
        character = self._next()
        return self._character() if character == "\\" else character
