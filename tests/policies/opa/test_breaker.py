"""The breaker: when a server is left alone, and when it is asked again."""

from policies.opa.breaker import FIRST_REST_SECONDS, LONGEST_REST_SECONDS, THRESHOLD, Breaker

NOW = 1000.0


def broken() -> Breaker:
    """A breaker that has just begun to rest at NOW."""
    breaker = Breaker()
    for _ in range(THRESHOLD):
        breaker.fail(NOW)
    return breaker


def test_a_few_failures_do_not_stop_the_questions() -> None:
    """One failure less than the threshold, and questions still go out."""
    breaker = Breaker()
    for _ in range(THRESHOLD - 1):
        breaker.fail(NOW)

    assert breaker.admit(NOW)


def test_an_answer_forgets_the_failures() -> None:
    """Only failures in a row count."""
    breaker = Breaker()
    for _ in range(THRESHOLD * 2):
        breaker.fail(NOW)
        breaker.succeed()

    assert breaker.admit(NOW)


def test_it_rests_at_the_threshold() -> None:
    """From the threshold on nothing goes out until the rest is over."""
    breaker = broken()

    assert not breaker.admit(NOW)
    assert not breaker.admit(NOW + FIRST_REST_SECONDS - 0.001)


def test_one_trial_goes_out_after_the_rest() -> None:
    """After the rest one question goes out, and the others wait for what becomes of it."""
    breaker = broken()
    later = NOW + FIRST_REST_SECONDS

    assert breaker.admit(later)
    assert not breaker.admit(later)


def test_a_trial_that_succeeds_opens_the_door() -> None:
    """One answer, and all questions go out again."""
    breaker = broken()
    later = NOW + FIRST_REST_SECONDS
    breaker.admit(later)
    breaker.succeed()

    assert all(breaker.admit(later) for _ in range(10))


def test_a_trial_that_never_comes_back_is_tried_again() -> None:
    """A question that was given up in between does not shut the door for ever."""
    breaker = broken()
    later = NOW + FIRST_REST_SECONDS
    breaker.admit(later)

    assert breaker.admit(later + FIRST_REST_SECONDS)


def test_each_failed_trial_doubles_the_rest_up_to_a_limit() -> None:
    """The rests grow, and never beyond the longest."""
    breaker, now, rests = broken(), NOW, []
    for _ in range(8):
        rests.append(breaker.resting_until - now)
        now = breaker.resting_until
        assert breaker.admit(now)
        breaker.fail(now)

    assert rests == [
        0.5,
        1.0,
        2.0,
        4.0,
        8.0,
        LONGEST_REST_SECONDS,
        LONGEST_REST_SECONDS,
        LONGEST_REST_SECONDS,
    ]
