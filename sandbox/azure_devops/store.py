"""The service's state: one JSON document on disk; the values of secrets lie in the key store alone."""

from __future__ import annotations

import json
import os
import re
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from sandbox.files import version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]

FORMAT = 1
SECRET_ID = "secretId"  # noqa: S105 - the name of a field, whose value points into the key store
_ID = re.compile(rf'"{SECRET_ID}": "([0-9a-f]{{32}})"')


class StoreError(Exception):
    """The files of the state cannot be used; the message says which and what to do."""


class Draft:
    """State as one request sees it; a change becomes real when the request succeeds.

    state: the whole document. A secret in it is `{"secretId": id}`; its value is had by `secret`. folder: where large
    things lie, each in files of its own (git repositories, logs, artefacts).
    """

    def __init__(self, state: Json, secrets: dict[str, str], folder: Path) -> None:
        self.state = state
        self.folder = folder
        self._secrets = secrets

    def table(self, name: str) -> dict[str, Json]:
        """Return the objects of one kind by id; ids are decimal numbers or GUIDs, as text."""
        return cast(dict[str, Json], self.state.setdefault(name, {}))

    def next_id(self, name: str) -> int:
        """Give the next number of a table; a number is never given twice, as in the service."""
        numbers = self.state.setdefault("lastId", {})
        numbers[name] = int(numbers.get(name, 0)) + 1
        return int(numbers[name])

    def keep_secret(self, value: str) -> str:
        """Put a secret's value into the key store and return the id that stands for it."""
        secret_id = uuid.uuid4().hex
        self._secrets[secret_id] = value
        return secret_id

    def secret(self, secret_id: str) -> str:
        """Return a secret's value."""
        return self._secrets[secret_id]

    @property
    def secrets(self) -> dict[str, str]:
        """All values by id; for the store alone."""
        return self._secrets


class Store:
    """Two files: FOLDER/state.json without any secret, KEYS/azure-devops-state.json (0600) with the secrets by id.

    A secret is written before the state that names it and removed after the state no longer does, so that an
    interruption anywhere leaves a state whose secrets are all there.
    """

    def __init__(self, folder: Path, keys: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self._state_file = folder / "state.json"
        self._secrets_file = keys / "azure-devops-state.json"
        self._load()

    def _load(self) -> None:
        self._known = version(self._state_file)
        self._state = self._read(self._state_file)
        self._secrets = cast(dict[str, str], self._read(self._secrets_file))
        if self._state.setdefault("format", FORMAT) != FORMAT:
            raise StoreError(
                f"{self._state_file}: format {self._state['format']} is not {FORMAT}, which this version reads; "
                "remove the file to start empty, or use the version that wrote it"
            )
        self._text = json.dumps(self._state)
        missing = _secret_ids(self._text) - self._secrets.keys()
        if missing:
            raise StoreError(
                f"{self._secrets_file}: {len(missing)} secrets that {self._state_file} names are not in it; "
                "restore the file, or remove both files to start empty"
            )

    def read_anew(self) -> None:
        """Take up what somebody put in place of the state that was written here (`python -m sandbox restore`)."""
        if version(self._state_file) not in {None, self._known}:
            self._load()

    def read(self) -> Draft:
        """Return the state for reading; what is changed in it is not kept."""
        return Draft(self._state, self._secrets, self.folder)

    @contextmanager
    def change(self) -> Iterator[Draft]:
        """Yield a copy to change; on leaving without an error it is on disk and is the state, else nothing happened."""
        draft = Draft(json.loads(self._text), dict(self._secrets), self.folder)
        yield draft
        text = json.dumps(draft.state)
        if text == self._text:
            return
        used = _secret_ids(text)
        if used - self._secrets.keys():
            self._write(self._secrets_file, json.dumps(draft.secrets))
        self._write(self._state_file, text)
        self._known = version(self._state_file)
        kept = {secret_id: value for secret_id, value in draft.secrets.items() if secret_id in used}
        if kept != draft.secrets:
            self._write(self._secrets_file, json.dumps(kept))
        self._state, self._text, self._secrets = draft.state, text, kept

    @staticmethod
    def _read(file: Path) -> Json:
        try:
            content = json.loads(file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise StoreError(f"{file}: is not JSON ({error}); remove it to start empty") from error
        if not isinstance(content, dict):
            raise StoreError(f"{file}: is not a JSON object; remove it to start empty")
        return content

    @staticmethod
    def _write(file: Path, content: str) -> None:
        draft = file.with_suffix(".tmp")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)


def _secret_ids(text: str) -> set[str]:
    """The ids in a state as JSON, in which a quote within a text has a backslash before it."""
    return set(_ID.findall(text))
