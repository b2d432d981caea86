"""Settings of the service: from flags and environment variables, or every fault at once."""

from pathlib import Path

import pytest

from defectseg.service.given_settings import SettingsError, flag_of, read_settings, variable_of
from defectseg.service.settings import Settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable of the machine counts."""
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_of(name), raising=False)
    return monkeypatch


def fault(**flags: str) -> str:
    """The only line about a fault."""
    with pytest.raises(SettingsError) as caught:
        read_settings(flags)
    first, line, last = str(caught.value).split("\n")
    assert (first, last) == (
        "a setting cannot be used:",
        "`defectseg serve --help` lists all of them",
    )
    return line.strip()


def test_without_any_the_defaults_hold():
    settings = read_settings({})
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.model == Path("models/unet.onnx")


def test_a_flag_wins_over_the_variable_and_the_variable_over_the_default(
    environment: pytest.MonkeyPatch,
):
    environment.setenv("DEFECTSEG_PORT", "1000")
    environment.setenv("DEFECTSEG_SLOTS", "3")
    settings = read_settings({"port": "2000"})
    assert (settings.port, settings.slots, settings.workers) == (2000, 3, 0)


def test_values_are_read_from_text():
    given = {"mm_per_pixel": "0.05", "spin": "true", "cors_origins": '["https://line1.example"]'}
    settings = read_settings(given)
    assert settings.mm_per_pixel == 0.05
    assert settings.spin is True
    assert settings.cors_origins == ("https://line1.example",)


def test_every_fault_is_told_at_once(environment: pytest.MonkeyPatch):
    environment.setenv("DEFECTSEG_SLOTS", "0")
    environment.setenv("DEFECTSEG_CORS_ORIGINS", "everybody")
    environment.setenv("DEFECTSEG_PROT", "8001")
    with pytest.raises(SettingsError) as caught:
        read_settings({"port": "70000", "log_level": "loud"})
    assert str(caught.value).split("\n") == [
        "5 settings cannot be used:",
        "  DEFECTSEG_PROT: there is no such setting; is DEFECTSEG_PORT meant?",
        "  --port is '70000'; expected less than or equal to 65535",
        "  DEFECTSEG_SLOTS is '0'; expected greater than or equal to 1",
        "  DEFECTSEG_CORS_ORIGINS is 'everybody'; expected a list as JSON",
        "  --log-level is 'loud'; expected text that matches '^(debug|info|warning|error)$'",
        "`defectseg serve --help` lists all of them",
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("port", "http", "a valid integer, unable to parse string as an integer"),
        ("deadline_s", "inf", "a finite number"),
        ("deadline_s", "nan", "a finite number"),
        ("deadline_s", "0", "greater than 0"),
        ("provider", "tpu", "'auto', 'cpu', 'cuda' or 'tensorrt'"),
        ("model_sha256", "abc", "text that matches '^[0-9a-f]{64}$'"),
        ("cors_origins", '["*"]', "origins such as https://line1.example, not '*'"),
        ("cors_origins", '["https://a/b"]', "origins such as https://line1.example, not 'https"),
    ],
)
def test_a_fault_says_what_came_and_what_was_expected(name: str, value: str, expected: str):
    assert fault(**{name: value}).startswith(f"{flag_of(name)} is {value!r}; expected {expected}")


def test_a_long_value_is_cut():
    assert fault(port="9" * 10_000).startswith(f"--port is '{'9' * 79}…; expected")


def test_a_secret_is_never_shown(environment: pytest.MonkeyPatch):
    environment.setenv("DEFECTSEG_ADMIN_TOKEN", "open sesame")
    assert fault() == (
        "DEFECTSEG_ADMIN_TOKEN is a secret of 11 characters; "
        "expected text with at least 16 characters, not 11"
    )
    settings = read_settings({"admin_token": "0123456789abcdef"})
    assert "0123456789abcdef" not in repr(settings)


@pytest.mark.parametrize("address", ["", "localhost:4318", "ftp://localhost"])
def test_an_address_for_traces_that_is_none_is_told(environment: pytest.MonkeyPatch, address: str):
    environment.setenv("DEFECTSEG_OTLP_ENDPOINT", address)
    assert fault().startswith(f"DEFECTSEG_OTLP_ENDPOINT is {address!r}; expected")


def test_a_variable_far_from_any_setting_is_named_alone(environment: pytest.MonkeyPatch):
    environment.setenv("defectseg_xyzzy", "1")
    assert fault() == "defectseg_xyzzy: there is no such setting"
