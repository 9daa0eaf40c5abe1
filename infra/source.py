"""What a pipeline's environment says about the source, turned into a tag and the values of labels.

Each function raises ValueError with the rule and the remedy.
"""

import re
from datetime import UTC, datetime
from urllib.parse import urlsplit

TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
"""A tag, https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests."""

_REMEDY = "change the pipeline's `name:` or set imageTag"

# Two characters that build numbers often have and tags cannot: "+" of a SemVer build becomes "_", as Helm does it, and
# a blank becomes "-".
_REPLACEMENTS = {"+": "_", " ": "-"}


def tag_of_build_number(number: str) -> str:
    """`Build.BuildNumber` as a Docker tag, so that different numbers of one pipeline stay different tags.

    A number that has both a character to replace and its replacement is refused: `1+2_3` and `1_2+3` would be one tag.
    """
    tag = number
    for character, replacement in _REPLACEMENTS.items():
        if character in number and replacement in number:
            raise ValueError(
                f"has both {character!r} and {replacement!r}, which a Docker tag cannot tell apart; {_REMEDY}"
            )
        tag = tag.replace(character, replacement)
    illegal = sorted(set(re.sub(r"[A-Za-z0-9_.-]", "", tag)))
    if illegal:
        raise ValueError(f"has {' '.join(illegal)}, which a Docker tag cannot hold; {_REMEDY}")
    if not re.fullmatch(TAG, tag):
        raise ValueError(f"must have 1 to 128 characters and not begin with '.' or '-' to be a Docker tag; {_REMEDY}")
    return tag


def revision(commit: str) -> str:
    """`Build.SourceVersion` of a git repository."""
    if not re.fullmatch(r"[0-9a-f]{7,64}", commit):
        raise ValueError("must be a git commit; for example 1f3e2d4c5b6a79881f3e2d4c5b6a79881f3e2d4c")
    return commit


def created(epoch: str) -> str:
    """`SOURCE_DATE_EPOCH` (https://reproducible-builds.org/specs/source-date-epoch/) as RFC 3339 in UTC."""
    if not re.fullmatch(r"[0-9]{1,11}", epoch):
        raise ValueError("must be seconds since 1970 in digits; for example the answer of git log -1 --format=%ct")
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> str:
    """`KEYS_AS_OF`: a day, or a moment with its zone, as RFC 3339 in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a day or a moment; for example 2027-03-31") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def address(uri: str) -> str:
    """`Build.Repository.Uri` without the user name that Azure DevOps puts into it."""
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http(s) address; set imageSource")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
