from __future__ import annotations

import pytest

from massie.cli.runs import parse_options


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("x=1", 1),
        ("x=0.5", 0.5),
        ("x=true", True),
        ("x=null", None),
        ("x=[1, 2]", [1, 2]),
        ("x=text", "text"),
        ("x=", ""),
        ('x="5"', "5"),
        ("x=a=b", "a=b"),
    ],
)
def test_an_option_is_json_where_it_is_and_text_where_not(option: str, value: object) -> None:
    assert parse_options((option,)) == {"x": value}
