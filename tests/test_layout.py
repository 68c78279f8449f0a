"""A module's tests stand where you look for them: bridge/imap/lexer.py is tested in tests/imap/test_lexer.py."""

from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def test_every_module_has_its_test_file() -> None:
    modules = [path.relative_to(_ROOT / "bridge") for path in (_ROOT / "bridge").rglob("*.py")]
    assert modules
    missing = [
        f"bridge/{module} has no tests/{test}"
        for module in sorted(modules)
        if module.name not in {"__init__.py", "__main__.py"}
        and not (_ROOT / "tests" / (test := module.with_name(f"test_{module.name}"))).exists()
    ]
    assert not missing, "\n".join(missing)
