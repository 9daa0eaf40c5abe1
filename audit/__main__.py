"""`python -m audit`."""

from audit.command import program

if __name__ == "__main__":
    raise SystemExit(program())
