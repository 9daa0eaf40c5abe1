"""A survey: what is really there, judged. `drift` and `keys` are surveys; they share model, rules and formats."""
