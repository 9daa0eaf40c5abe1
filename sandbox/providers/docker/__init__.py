"""Stand-in for the docker plugin, over the Docker engine's API."""

VERSION = "5.2.0"
