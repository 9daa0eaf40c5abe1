"""The base image is what the Dockerfile names, and builds in it get what this machine trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import base_image
from sandbox.errors import SandboxError
from sandbox.layout import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = base_image.reference(CHECKOUT / "Dockerfile")
VERSION = REFERENCE.partition(":")[2].partition("-")[0]


def test_the_dockerfile_names_it(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        '# ARG BASE_IMAGE=no\nARG BASE_IMAGE="node:1.2.3-slim"\nFROM ${BASE_IMAGE}\n', encoding="utf-8"
    )
    assert base_image.reference(dockerfile) == "node:1.2.3-slim"
    dockerfile.write_text("ARG BASE_IMAGE=node:1.2.3-slim@sha256:" + "0" * 64, encoding="utf-8")
    assert base_image.reference(dockerfile) == "node:1.2.3-slim"


def test_a_dockerfile_without_a_default_is_an_error(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n", encoding="utf-8")
    with pytest.raises(SandboxError, match="no line `ARG BASE_IMAGE=NAME:TAG`"):
        base_image.reference(dockerfile)


def test_the_projects_base_image_can_be_made_on_both_architectures() -> None:
    assert set(base_image.NODE[VERSION]) == {"amd64", "arm64"}


def test_builds_get_npms_registry_and_proxies_but_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://npm.example.com/")
    monkeypatch.setenv("NPM_CONFIG_HTTPS_PROXY", "http://someone:hidden@proxy.example.com:3128")
    monkeypatch.setenv("NPM_CONFIG_PROXY", "http://127.0.0.1:3128")
    monkeypatch.setenv("NPM_CONFIG_NOPROXY", "example.com")
    said: list[str] = []
    assert base_image.npmrc(said.append) == "registry=https://npm.example.com/\nnoproxy=example.com\n"
    assert "hidden" not in " ".join(said)
    assert said == [
        "npm's proxy is on this machine's loopback, which builds do not reach",
        "npm's https-proxy holds a password: builds do not get it",
    ]


def test_the_machines_certificates_are_those_that_it_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert base_image.certificates() is None
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"a certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert base_image.certificates() == b"a certificate"
