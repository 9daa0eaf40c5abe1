"""What is declared, recorded and really there, side by side, as the clouds themselves say."""
