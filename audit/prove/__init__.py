"""Asks the cloud whether the witnesses of a plan are what they are said to be: refused before, allowed after."""
