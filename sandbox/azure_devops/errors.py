"""The service's errors: the JSON envelope of a failed call, and the errors that more than one area raises."""

from __future__ import annotations

from typing import Any

_SERVER = "Microsoft.TeamFoundation.Framework.Server"


class ServiceError(Exception):
    """A refused call: HTTP status, the exception's name as the service gives it (`typeKey`), and its message."""

    def __init__(
        self,
        status: int,
        type_key: str,
        message: str,
        *,
        namespace: str = _SERVER,
        event_id: int = 3000,
        properties: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type_key = type_key
        self.message = message
        self.namespace = namespace
        self.event_id = event_id
        self.properties = properties

    def envelope(self) -> dict[str, Any]:
        """Return the body of the answer."""
        more = {} if self.properties is None else {"customProperties": self.properties}
        return {
            "$id": "1",
            **more,
            "innerException": None,
            "message": self.message,
            "typeName": f"{self.namespace}.{self.type_key}, {self.namespace}",
            "typeKey": self.type_key,
            "errorCode": 0,
            "eventId": self.event_id,
        }


def bad_argument(message: str) -> ServiceError:
    """Return the 400 that the service gives for most invalid bodies."""
    return ServiceError(400, "ArgumentException", message, namespace="System", event_id=0)


def distributed_task(status: int, type_key: str, message: str) -> ServiceError:
    """Return an error of the distributed task area (variable groups, environments, pools and queues)."""
    return ServiceError(status, type_key, message, namespace="Microsoft.TeamFoundation.DistributedTask.WebApi")


def build(status: int, type_key: str, message: str) -> ServiceError:
    """Return an error of the build area."""
    return ServiceError(status, type_key, message, namespace="Microsoft.TeamFoundation.Build.WebApi")
