"""Files of a build context that look like secrets, by their names and by their first line."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

_NAME = re.compile(
    r"""
    \.env(\.(?!example$|sample$|template$|dist$|defaults?$).+)?   # .env, .env.production
    | .+\.env | \.envrc
    | id_(rsa|dsa|ecdsa|ed25519)(_sk)?
    | .+\.(pfx|p12|jks|keystore|kdbx|ppk)
    | [._]netrc | \.(git-credentials|pgpass|pypirc|htpasswd|dockercfg|vault-token)
    | credentials(\.json|\.ya?ml|\.csv)? | application_default_credentials\.json | (.+_accessKeys|rootkey)\.csv
    | .+\.tfstate(\.backup)?
    | kubeconfig
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PLACE = re.compile(r"(^|.*/)(\.docker/config\.json|\.kube/config|\.azure/.*token.*\.json)")
_CONTENT = re.compile(
    rb"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----"
    rb"|//[^\n]*:_(authToken|auth|password)\s*=\s*[^\s$]"
    rb'|"private_key"\s*:\s*"-----BEGIN'
    rb"|(?m:^)aws_secret_access_key\s*="
    rb"|(?i:AWS_SECRET_ACCESS_KEY)['\"]?\s*[=:]\s*['\"]?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"
)
_LOOKED_AT = 4096  # bytes; what is obvious is seen early


def suspicious(folder: Path, paths: Iterable[str]) -> list[str]:
    """Those of `paths`, relative to `folder`, that look like a private key, an environment or credentials file."""
    return [path for path in paths if _named(path) or _CONTENT.search(_beginning(folder / path))]


def _named(path: str) -> bool:
    return bool(_NAME.fullmatch(PurePosixPath(path).name) or _PLACE.fullmatch(path))


def _beginning(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_LOOKED_AT)
    except OSError:  # the copy, which is next, says so
        return b""
