#!/bin/sh
# Installs what the tests need and no Python package brings: a browser, for the audit's HTML pages.
set -eu

if [ "${E2E:-1}" = 0 ] || command -v chromium >/dev/null; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing chromium for the tests of the HTML pages" >&2
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null
fi
# Without it those tests fail, and say what is missing.
