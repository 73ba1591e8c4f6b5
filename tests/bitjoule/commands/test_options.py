"""Values of options that several commands take."""

import argparse
from pathlib import Path

import pytest

from bitjoule.commands.options import folder, scheduler
from bitjoule.commands.results.stored import _condition


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://192.168.0.2:8786", "tcp://192.168.0.2:8786"),
        ("far:8786", "tcp://far:8786"),
        ("far:1", "tcp://far:1"),
        ("tls://far.example:65535", "tls://far.example:65535"),
        ("ws://far:80", "ws://far:80"),
        ("wss://far:443", "wss://far:443"),
        ("ucx://far:8786", "ucx://far:8786"),
    ],
)
def test_an_address_is_that_of_a_scheduler_over_tcp_unless_it_says_otherwise(text, address):
    assert scheduler(text) == address


@pytest.mark.parametrize(
    "text", ["", "far", "far:", ":8786", "far:123456", "http://far:8786", "tcp://far/8786", "a b:1"]
)
def test_anything_else_is_no_address(text):
    with pytest.raises(argparse.ArgumentTypeError) as error:
        scheduler(text)
    assert str(error.value) == f"got {text!r}; expected tcp://HOST:PORT"


def test_a_directory_has_a_name():
    assert folder("a/b") == Path("a/b")
    with pytest.raises(argparse.ArgumentTypeError, match=r"^is empty; expected a directory$"):
        folder("")


@pytest.mark.parametrize(
    ("text", "condition"),
    [("scheme=fp16", ("scheme", "fp16")), (" phase = decode ", ("phase", "decode")), ("a=b=c", ("a", "b=c")),
     ("remark=", ("remark", ""))],
)  # fmt: skip
def test_a_condition_is_a_key_and_all_behind_the_first_sign(text, condition):
    assert _condition(text) == condition


@pytest.mark.parametrize("text", ["=fp16", " =fp16", "scheme", ""])
def test_a_condition_without_a_key_or_a_sign_is_none(text):
    with pytest.raises(argparse.ArgumentTypeError) as error:
        _condition(text)
    assert str(error.value) == f"got {text!r}; expected KEY=VALUE, e.g. scheme=fp16"
