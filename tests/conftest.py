"""Settings for every test: property tests are repeatable and know no deadline."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "headwaters",
    deadline=None,  # the machine may be busy; a slow example is no failure
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("headwaters")
