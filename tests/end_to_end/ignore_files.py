"""Small ignore files, generated: what people write, and what only a matcher's source knows."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TREE = """
1.txt v1.txt !v1.txt .env .DS_Store a.log README.md a+b.txt \u00e9.txt x*y [x a\\b srclog x/y/z/1.txt
app/.env app/app.js app/app.test.js app/conf/prod.env app/conf/.env app/conf/a.log app/lib/lib/x.js app/.DS_Store
app/docs/README.md app/app/app.js docs/README.md docs/a.md docs/sub/b.md
src/a.test.js src/a.js src/deep/er/a.test.js src/deep/er/a.js src/v1.txt
""".split()  # noqa: SIM905 (one word a pattern is easier to read)
_USUAL = """
app app src docs conf lib deep er x y * * ** ** *.js *.md *.log **.env **.log **.DS_Store **.test.js **test* *.test.js
.env prod.env README.md a.js app.js ?.txt ??.txt [v!]1.txt [!v]1.txt [^v]1.txt [a-e]* [a-e]pp v[0-9].txt a** s** a**.js
**/*.js **/app .. . .DS_Store d*s a+b.txt \u00e9.txt \\* x\\*y \\[x lib/ a\\\\b [[]x *[-x]* (a) {a,b} *.{js,md} $ ***
app***
""".split()  # noqa: SIM905 (one word a pattern is easier to read)
_ODD = """
[*] x[?*]y \\d.txt v\\d.txt [[:alpha:]]1.txt [\\d].txt [\\]!]v1.txt a|b a{1}pp* *|*.md ^app a^* # #a ! / // ./ !/ !!app
""".split()  # noqa: SIM905 (one word a pattern is easier to read)
_BAD = ["[a-", "[]", "[x", "[a-]*", "[-x]", "[z-a]", "\\", "\\q", "x*[z-a]", "!"]
_LINES = ["", "# comment", " # no comment", "\t", "\ufeffapp", "app\r", " app ", "! app", "\u00a0app\u2003", "\x1capp"]
_LINES += ["/ app", "./ !app", "!/ app", "/ /"]


def generated(count: int, seed: int) -> Iterator[str]:
    """Texts of ignore files: one to five lines, the last sometimes without an end."""
    choose = random.Random(seed)  # noqa: S311 (no secret)
    for _ in range(count):
        lines = [_line(choose) for _ in range(choose.randint(1, 5))]
        yield "\n".join(lines) + choose.choice(("\n", ""))


def _line(choose: random.Random) -> str:
    kind = choose.choices((_USUAL, _ODD, _BAD, _LINES), (80, 10, 4, 6))[0]
    if kind is _LINES:
        return choose.choice(kind)
    parts = [choose.choice(kind), *(choose.choice(_USUAL) for _ in range(choose.choice((0, 0, 0, 1, 1, 2))))]
    choose.shuffle(parts)
    before = choose.choices(("", "!", "/", "!/", "./", "!**/", "**/"), (8, 6, 1, 1, 1, 1, 1))[0]
    return before + "/".join(parts) + choose.choice(("", "", "", "", "/", " "))
