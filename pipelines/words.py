"""Text of others in what an agent or a person reads: it acts nowhere, and what it hides is seen."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Controls, line ends of Unicode, lone surrogates, and all that Unicode has readers ignore
(https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt, Default_Ignorable_Code_Point): an agent's
search for `##vso[` passes over them too."""

_COMMAND = re.compile(r"#(?=#\s*(?:vso\s*)?\[)", re.IGNORECASE)


def seen(text: str) -> str:
    """The text with each unseen character as its escape (`\\u200b`); tabs and line feeds stay."""
    return _UNSEEN.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text.replace("\r\n", "\n"))


def neutral(text: str) -> str:
    """Text that an agent takes for no command: `##vso[` and `##[` are written `# #vso[` and `# #[`."""
    return _COMMAND.sub("# ", seen(text))


def code(text: str) -> str:
    """A name as one span of code in Markdown, in a table too: no link, mention, image, HTML or new line comes of it."""
    return f"`{' '.join(seen(text).translate(_ENDS_CODE).split())}`"


_ENDS_CODE = str.maketrans({"`": "'", "|": "¦"})
