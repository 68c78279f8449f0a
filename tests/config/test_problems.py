"""An error reads as a sentence that says where, what and what to do."""

from bridge.config.problems import ConfigError, Problem


def test_a_problem_in_a_file_names_file_line_key_and_remedy() -> None:
    error = ConfigError(
        [Problem(7, "listener.pop3", "it has no port", 'write pop3 = "127.0.0.1:1110"')], "popbridge.toml"
    )

    assert str(error) == 'popbridge.toml, line 7: listener.pop3: it has no port; write pop3 = "127.0.0.1:1110"'


def test_a_problem_with_a_flag_has_no_line() -> None:
    assert str(ConfigError([Problem(None, "--key", "missing", "give --key key.pem")])) == (
        "--key: missing; give --key key.pem"
    )


def test_several_problems_come_in_the_order_of_the_file() -> None:
    error = ConfigError([Problem(9, "b", "x", "y"), Problem(2, "a", "x", "y")], "f")

    assert [problem.key for problem in error.problems] == ["a", "b"]
    assert str(error).count("\n") == 1
