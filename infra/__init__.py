"""What the program declares: one module for each thing an operator would name, and the settings that shape them."""
