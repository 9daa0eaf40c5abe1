#!/bin/sh
# Installs what the tests need and no Python package brings: a browser for the audit's HTML pages, and the library that the
# program which drives it is linked with.
set -eu

there() {
    command -v chromium >/dev/null && .venv/bin/playwright --version >/dev/null 2>&1
}

if [ "${E2E:-1}" = 0 ] || there; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing chromium for the tests of the HTML pages" >&2
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium libatomic1 >/dev/null
fi
# Without them those tests fail, and say what is missing.
