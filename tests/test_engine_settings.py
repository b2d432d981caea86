"""engine_settings: how an engine is to run."""

import pytest

from defectseg.inference.engine_settings import EngineSettings
from defectseg.inference.threads import count_threads


def test_no_number_of_threads_means_all_that_the_system_gives():
    assert EngineSettings().count_threads() == count_threads()


def test_a_number_of_threads_is_taken():
    assert EngineSettings(threads=7).count_threads() == 7


def test_a_negative_number_of_threads_is_refused():
    with pytest.raises(ValueError, match=r"threads is -1; expected 1 or more, or 0 for all"):
        EngineSettings(threads=-1)


def test_nothing_spins_unless_asked():
    assert EngineSettings().spin is False
