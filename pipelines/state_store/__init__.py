"""The places of the two Pulumi states: made, and kept as they should be, by `python -m pipelines.state_store`."""
