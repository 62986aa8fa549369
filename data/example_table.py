"""A table to try the page Your data with: made up, of every kind of column."""

import numpy as np

ROWS = 600


def example_csv() -> bytes:
    """600 customers of a club as CSV, with who cancels: simulated, the same bytes every time.

    The chance to cancel rises with the price and with calls to the help desk, and falls with the
    years of membership; cancelled ones with a low age are more often company members. Some ages
    are missing, the first column numbers the customers.
    """
    random = np.random.default_rng(7)
    days = np.sort(random.integers(0, 2500, ROWS))
    joined = np.datetime64("2019-01-01") + days
    plan = random.choice(["basic", "family", "premium"], ROWS, p=[0.5, 0.3, 0.2])
    price = {"basic": 9.9, "family": 19.9, "premium": 29.9}
    euros = np.array([price[each] for each in plan]) + random.normal(0, 1, ROWS)
    city = random.choice(["Bonn", "Essen", "Jena", "Ulm"], ROWS)
    age = random.integers(18, 80, ROWS)
    calls = random.poisson(2, ROWS)
    company = random.random(ROWS) < 0.3
    years = (2500 - days) / 365
    score = 0.12 * (euros - 18) + 0.7 * (calls - 2) - 0.5 * (years - 3.4) + 0.8 * (city == "Ulm")
    cancelled = random.random(ROWS) < 1 / (1 + np.exp(-1.5 * score))
    known = random.random(ROWS) > 0.08
    lines = ["customer,joined,city,plan,euros,age,calls,company,cancelled"]
    lines += [
        f"{10_001 + n},{joined[n]},{city[n]},{plan[n]},{euros[n]:.2f},"
        f"{age[n] if known[n] else ''},{calls[n]},{_write_yes_no(company[n])},{_write_yes_no(cancelled[n])}"
        for n in range(ROWS)
    ]
    return ("\n".join(lines) + "\n").encode()


def _write_yes_no(truth: bool) -> str:
    return "yes" if truth else "no"
