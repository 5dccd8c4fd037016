"""Errors on their way between cells: rebuilt classes, RemoteError for all others, and robustness."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells import exceptions, failure
from tests.cases import each
from tests.json_values import PYTHON_JSON as JSON

OURS = ("cells.exceptions",)
HERE = __name__


class Picky(Exception):
    """Error whose constructor takes two arguments but passes only one to its base."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)


class Speechless(Exception):
    """Error whose __str__ fails."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Stubborn(Exception):
    """Error with an attribute kwargs that is no mapping."""

    kwargs = 5


def travel(error: BaseException, allowed: tuple[str, ...] = OURS) -> Exception:
    return failure.from_json(failure.to_json(error), allowed)


def described(**changed: Any) -> str:
    values = {"class": "CellNotFound", "module": "cells.exceptions", "message": "m", "tb": [], "args": ["m"]}
    return json.dumps({**values, "kwargs": {}, **changed})


def test_the_keys_on_the_wire() -> None:
    with pytest.raises(exceptions.CellNotFound) as caught:
        raise exceptions.CellNotFound("No east.", cell="east")
    data = json.loads(failure.to_json(caught.value))
    assert data.pop("tb") == []
    assert data.pop("kwargs") == {"cell": "east"}
    expected = {"class": "CellNotFound", "module": "cells.exceptions", "message": "No east.", "args": ["No east."]}
    assert data == expected


def test_the_traceback_and_the_id_of_its_log_record_travel_on_request() -> None:
    with pytest.raises(exceptions.CellNotFound) as caught:
        raise exceptions.CellNotFound("No east.") from KeyError("k")
    data = json.loads(failure.to_json(caught.value, with_traceback=True, log_id="id-7"))
    assert any("KeyError: 'k'" in line for line in data["tb"])
    assert data["tb"][-1].endswith("CellNotFound: No east.\n")
    assert data["log_id"] == "id-7"


def test_the_text_of_a_remote_error_has_the_log_id() -> None:
    error = failure.from_json(failure.to_json(ValueError("x"), log_id="id-7"), OURS)
    assert isinstance(error, exceptions.RemoteError)
    assert "id-7" in error.message
    assert error.value == "x"


def test_a_traceback_of_oslo_messaging_is_taken_out_of_a_text() -> None:
    """An error that was rebuilt from a service has the traceback in its text, and perhaps in its arguments."""
    rebuilt = KeyError("no disk\nTraceback (most recent call last):\n  File secret.py")
    text = json.dumps({"class": "KeyError", "message": str(rebuilt.args[0]), "args": rebuilt.args, "tb": ["line\n"]})
    shorter, lines = failure.without_traceback(text, "id-7")
    for left in (shorter, failure.to_json(rebuilt)):
        assert "secret.py" not in left
        assert "no disk" in left
    assert lines == ["line\n"]
    assert failure.log_id_of(shorter) == "id-7"
    assert failure.without_traceback(shorter, "other") == (shorter, [])


def test_a_password_in_the_url_of_an_error_stays_in_its_cell() -> None:
    error = OSError("Cannot connect to rabbit://guest:pa#s?w/o@rd@host/v now")
    assert "rd@" not in failure.to_json(error)
    assert "host/v now" in failure.to_json(error)


def test_an_allowed_class_is_rebuilt_with_its_attributes() -> None:
    error = travel(exceptions.AmbiguousCell("Which?", cell="az", candidates=["a!az", "b!az"]))
    assert isinstance(error, exceptions.AmbiguousCell)
    assert type(error).__name__ == "AmbiguousCell_Remote"
    assert type(error).__module__ == "cells.exceptions_Remote"
    assert str(error) == "Which?"
    assert (error.cell, error.candidates) == ("az", ["a!az", "b!az"])


def test_a_rebuilt_error_is_caught_like_a_local_error() -> None:
    with pytest.raises(exceptions.RoutingError):
        raise travel(exceptions.CellNotFound("gone"))


def test_a_forwarded_error_keeps_its_original_name() -> None:
    once = travel(exceptions.MaxHopCountReached("far", hop_count=10))
    twice = travel(once)
    data = json.loads(failure.to_json(once))
    assert (data["class"], data["module"]) == ("MaxHopCountReached", "cells.exceptions")
    assert type(twice) is type(once)
    assert isinstance(twice, exceptions.MaxHopCountReached)
    assert twice.hop_count == 10


def test_a_forwarded_remote_error_keeps_its_details() -> None:
    twice = travel(travel(KeyError("k")))
    assert isinstance(twice, exceptions.RemoteError)
    assert twice.exc_type == "KeyError"
    assert twice.value == "'k'"


@each("module", ["builtins", "cells", "cells.failure", "cells.exceptions.", "os", "", "no.such"])
def test_module_that_is_not_allowed_becomes_remote_error(module: str) -> None:
    error = failure.from_json(described(module=module, **{"class": "ValueError"}, tb=["one\n", 2]), OURS)
    assert type(error) is exceptions.RemoteError
    assert error.message == "ValueError: m"
    assert (error.exc_type, error.value, error.traceback) == ("ValueError", "m", ["one\n", "2"])


def test_nothing_is_allowed_by_default() -> None:
    assert type(travel(exceptions.CellNotFound("x"), allowed=())) is exceptions.RemoteError


@each("name", ["__init__", "ROUTES", "nothing", "", "Any", "ClassVar"])
def test_name_that_is_no_exception_of_the_module_becomes_remote_error(name: str) -> None:
    assert type(failure.from_json(described(**{"class": name}), OURS)) is exceptions.RemoteError


@pytest.mark.parametrize(
    ("module", "name"),
    [*(("builtins", name) for name in ("eval", "int", "SystemExit", "KeyboardInterrupt")), ("subprocess", "Popen")],
)
def test_only_exception_classes_are_called(module: str, name: str, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    text = described(module=module, args=[["touch", str(touched)]], **{"class": name})
    assert type(failure.from_json(text, (module,))) is exceptions.RemoteError
    assert not touched.exists()


def test_a_class_that_an_allowed_module_only_imports_is_not_rebuilt() -> None:
    assert issubclass(subprocess.SubprocessError, Exception)
    globals()["Borrowed"] = subprocess.SubprocessError
    text = described(module=HERE, **{"class": "Borrowed"})
    assert type(failure.from_json(text, (HERE,))) is exceptions.RemoteError


def test_standard_exception_is_rebuilt_where_it_is_allowed() -> None:
    error = travel(ValueError("wrong", 5), ("builtins",))
    assert isinstance(error, ValueError)
    assert error.args == ("wrong", 5)


def test_allowed_module_that_is_not_installed_becomes_remote_error() -> None:
    text = described(module="no.such.module")
    assert type(failure.from_json(text, ("no.such.module",))) is exceptions.RemoteError


def test_constructor_that_raises_becomes_remote_error() -> None:
    error = travel(Picky("one", "two"), (HERE,))
    assert type(error) is exceptions.RemoteError
    assert (error.exc_type, error.value) == ("Picky", "one")


@each(
    "changed",
    [{"args": None}, {"args": 5}, {"kwargs": None}, {"kwargs": [1]}, {"kwargs": {"colour": 1}}, {"args": {"a": 1}}],
)
def test_unfitting_arguments_become_a_cells_error(changed: dict[str, Any]) -> None:
    assert isinstance(failure.from_json(described(**changed), OURS), exceptions.CellsError)


@each("text", ["", "{", "[]", "5", "null", '"text"', "\ud800", None, 5, [], b"{}", '{"a":' * 50])
def test_unreadable_text_is_a_remote_error(text: object) -> None:
    error = failure.from_json(text, OURS)
    assert type(error) is exceptions.RemoteError
    assert len(error.message) < 300


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_nesting_is_a_remote_error(text: str) -> None:
    assert type(failure.from_json(text, OURS)) is exceptions.RemoteError


def test_an_object_without_keys_is_a_remote_error() -> None:
    assert type(failure.from_json("{}", OURS)) is exceptions.RemoteError


@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(("class", "module", "args", "kwargs", "tb"), JSON)))
def test_reading_never_raises(value: Any) -> None:
    assert isinstance(failure.from_json(json.dumps(value), (*OURS, "builtins")), Exception)
    assert isinstance(failure.from_json(value, (*OURS, "builtins")), Exception)


@given(st.lists(JSON, max_size=3), st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_arguments_of_any_kind_never_raise(args: list[Any], kwargs: dict[str, Any]) -> None:
    text = described(args=args, kwargs=kwargs)
    assert isinstance(failure.from_json(text, OURS), exceptions.CellsError)


@each(
    "error",
    [
        *(ValueError(value) for value in (object(), {1, 2}, Path("/tmp"), float("nan"), "\ud800")),
        *(Stubborn("x"), OSError(2, "No such file", "/x"), KeyError("k"), SystemExit(3)),
    ],
    ids=lambda error: re.sub(" at 0x[0-9a-f]+", "", repr(error)),
)
def test_arguments_without_a_json_form_become_text(error: BaseException) -> None:
    data = json.loads(failure.to_json(error))
    assert data["class"] == type(error).__name__
    assert isinstance(data["args"], list)
    assert isinstance(travel(error), exceptions.RemoteError)


class Hostile(Exception):
    """Error all of whose methods raise, or end the process."""

    @property
    def kwargs(self) -> Any:
        raise SystemExit("kwargs")

    @property
    def message(self) -> Any:
        raise KeyboardInterrupt

    @property
    def args(self) -> Any:  # type: ignore[override]  # Python allows it
        raise RuntimeError("args")

    def __str__(self) -> str:
        raise SystemExit("str")

    def __repr__(self) -> str:
        raise GeneratorExit


def deep(causes: int) -> Exception:
    """Return an error with a long chain of causes, the last of which is its own cause."""
    error = last = ValueError("first")
    for number in range(causes):
        caused = ValueError(f"number {number}")
        caused.__cause__ = error
        error = caused
    last.__cause__ = error
    return error


def circle() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


@each(
    "error",
    [
        *(KeyError({(1, 2): 3}), ValueError(circle()), ValueError(b"\xff\xfe"), Speechless()),
        *(Hostile(), Hostile("x"), ValueError(Hostile()), ValueError(10**5000), ValueError(itertools.count())),
        *(ValueError(iter(int, 1)), ValueError("x" * 10**7), ValueError(*["y" * 1000] * 1000), deep(5000)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_exception_can_be_sent(error: Exception) -> None:
    """Otherwise the caller of the endpoint would wait until its timeout (case F2)."""
    text = failure.to_json(error, with_traceback=True)
    assert json.loads(text)["class"] == type(error).__name__
    assert len(text) < 1_000_000
    assert isinstance(travel(error), exceptions.RemoteError)


class Sold(OSError):
    """Error whose constructor takes no number, and passes one to its built-in base."""

    def __init__(self, path: str) -> None:
        super().__init__(2, "sold", path)
        self.path = path


class KeywordOnly(Exception):
    """Error that only keywords can create."""

    def __new__(cls, *, code: int) -> KeywordOnly:
        return super().__new__(cls)

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class Undecodable(UnicodeDecodeError):
    """Error whose text is not among its attributes."""

    def __init__(self, reason: str) -> None:
        super().__init__("utf-8", b"x", 0, 1, reason)


@each("error", [Picky("a", "b"), Sold("/x"), KeywordOnly(code=7), Undecodable("odd"), KeyError("k")], ids=repr)
def test_a_copy_has_the_text_and_the_attributes_of_an_error(error: Exception) -> None:
    remote = type("Remote", (type(error),), {})
    for cls, copied in ((type(error), failure.copy(error)), (remote, failure.copy(error, remote))):
        assert copied is not error
        assert type(copied) is cls
        assert (str(copied), copied.args, vars(copied)) == (str(error), error.args, vars(error))


class Torn(ValueError, OSError):
    """Error with two built-in bases of different layouts."""


def test_an_error_that_cannot_be_copied_is_returned_itself() -> None:
    error = Torn("x")
    assert failure.copy(error) is error
