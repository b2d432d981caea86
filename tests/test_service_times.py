"""service.times: the stages of one picture and the waiting between them."""

import pytest

from defectseg.service.times import Times


def test_what_is_neither_reading_nor_working_is_waiting():
    times = Times(came=10.0, read=10.5)
    times.add("decode", 11.0, 11.25)
    times.add("infer", 12.0, 13.0)
    times.add("encode", 13.5, 13.625)
    seconds = times.seconds()
    assert seconds == {"read": 0.5, "decode": 0.25, "queue": 1.75, "infer": 1.0, "encode": 0.125}
    assert sum(seconds.values()) == 13.625 - 10.0
    assert list(seconds) == ["read", "decode", "queue", "infer", "encode"]


def test_before_any_work_there_is_no_waiting():
    assert Times(1.0, 2.0).seconds() == {"read": 1.0, "queue": 0.0}


def test_stages_that_overlap_by_a_rounding_wait_no_negative_time():
    times = Times(0.0, 1.0)
    times.add("decode", 0.999, 2.0)
    assert times.seconds()["queue"] == 0.0


def test_milliseconds_are_rounded_for_people():
    times = Times(0.0, 0.0012345)
    assert times.milliseconds(1) == {"read": 1.2, "queue": pytest.approx(0)}
