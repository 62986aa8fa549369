"""Progression of diabetes: the project's regression."""

from .base import Samples

FEATURES = {
    "age": "age (years)",
    "sex": "sex",
    "bmi": "body mass index (kg/m²)",
    "bp": "mean blood pressure (mm Hg)",
    "s1": "total cholesterol",
    "s2": "low-density lipoproteins",
    "s3": "high-density lipoproteins",
    "s4": "total / high-density cholesterol",
    "s5": "log of triglycerides",
    "s6": "blood sugar",
}


def samples() -> Samples:
    """442 patients; ten measurements, and how far the disease went in one year."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    return Samples(
        x=bunch.data,
        y=bunch.target,
        feature_names=tuple(FEATURES[name] for name in bunch.feature_names),
        target_name="disease progression after one year",
    )
