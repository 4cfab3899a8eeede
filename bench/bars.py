"""What a measurement must reach."""


def judge(name, value, bar, most=False, decimals=2):
    """A line about it; returns whether it holds: `bar` at least, or at most."""
    holds = value <= bar if most else value >= bar
    print(f"{name:72} {value:9.{decimals}f}  {'at most' if most else 'at least'} {bar:<7} {'ok' if holds else 'FAILED'}", flush=True)
    return holds
