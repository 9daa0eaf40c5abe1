"""Stand-in for the aws plugin, over the AWS APIs that the environment or aws:endpoints name."""

VERSION = "7.51.1"
