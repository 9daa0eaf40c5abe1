#!/bin/sh
# Installs what the tests need and no Python package brings: a browser for the audit's HTML pages, and the library that the
# program which drives it is linked with.
set -eu

there() {
    command -v "$1" >/dev/null && .venv/bin/playwright --version >/dev/null 2>&1
}

install() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

if [ "${E2E:-1}" = 0 ] || there chromium-headless-shell; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    if there chromium; then
        # The tests can do with it. The shell takes half the CPU: it comes beside it if nothing else has to change.
        version=$(dpkg-query --show --showformat '${Version}' chromium-common 2>/dev/null || true)
        install -o Acquire::Retries=0 -o Acquire::http::Timeout=10 "chromium-headless-shell=$version" 2>/dev/null || true
        exit 0
    fi
    echo "Installing chromium-headless-shell for the tests of the HTML pages" >&2
    apt-get -qq update
    install chromium-headless-shell libatomic1 || install chromium libatomic1 # an older Debian has no shell
fi
# Without them those tests fail, and say what is missing.
