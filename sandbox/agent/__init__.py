"""The agent that runs the jobs of pipelines on this machine."""
