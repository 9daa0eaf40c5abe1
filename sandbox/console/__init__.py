"""The console in the browser: pages over the public REST of the sandbox's services."""
