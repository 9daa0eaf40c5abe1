#!/bin/sh
# Makes the virtual environment .venv with the locked dependencies, or brings it up to date: sandbox/bootstrap.sh [PYTHON]
set -eu

cd "$(dirname "$0")/.."
python=${1:-python3}
stamp=.venv/.locked

fail() {
    echo "$1" >&2
    exit 1
}

# What pip is configured with, in the environment or in its files; empty where it has no such setting.
pip_setting() {
    for section in :env: install global; do
        .venv/bin/python -m pip config get "$section.$1" 2>/dev/null && return
    done
    true
}

command -v "$python" >/dev/null || fail "no $python on PATH: install Python 3.11 or newer, or name one: make PYTHON=..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old: Python 3.11 or newer is needed; name one: make PYTHON=..."

# What the environment was made from. Nothing where it is broken, as by an upgrade of the system's Python.
made_from() {
    version=$(.venv/bin/python -c 'import sys; print(sys.version)' 2>/dev/null) || return 0
    { cat requirements-uv.txt requirements-dev.txt && echo "$version"; } | sha256sum
}

if [ -s "$stamp" ] && [ "$(cat "$stamp")" = "$(made_from)" ]; then
    exit 0
fi

echo "Virtual environment" >&2
if ! "$python" -c 'import ensurepip' 2>/dev/null; then # Debian and Ubuntu have it in a package of its own
    [ "$(id -u)" = 0 ] || fail "Python's venv module is missing: as root, apt-get install python3-venv"
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends "$package" >/dev/null; } ||
        fail "Python's venv module is missing, and $package could not be installed"
fi
.venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.txt
# uv does not read pip's configuration: an index or a certificate that is named only there holds for it too.
export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-$(pip_setting index-url)}}"
export SSL_CERT_FILE="${SSL_CERT_FILE:-$(pip_setting cert)}"
[ -n "$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX
[ -n "$SSL_CERT_FILE" ] || unset SSL_CERT_FILE
.venv/bin/uv pip sync -q --python .venv/bin/python --require-hashes requirements-dev.txt
made_from >"$stamp"
