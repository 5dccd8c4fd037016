from __future__ import annotations

import oslo_messaging
import pytest

from cells.rpc.expected import ClientException, client_exceptions


class Volumes:
    @client_exceptions(KeyError, IndexError)
    def attach(self, context: object, number: int) -> int:
        """Attaches it."""
        if number > 9:
            raise ZeroDivisionError
        return [1, 2][number]


def test_an_expected_error_keeps_its_traceback() -> None:
    with pytest.raises(oslo_messaging.ExpectedException) as caught:
        Volumes().attach({}, 3)
    kind, error, traceback = caught.value.exc_info
    assert isinstance(caught.value, ClientException)
    assert kind is IndexError
    assert isinstance(error, IndexError)
    assert traceback.tb_next.tb_frame.f_code.co_name == "attach"
    assert str(caught.value) == "list index out of range"


def test_other_errors_and_values_pass_unchanged() -> None:
    assert Volumes().attach({}, number=1) == 2
    with pytest.raises(ZeroDivisionError):
        Volumes().attach({}, 10)
    assert Volumes.attach.__name__ == "attach"
    assert Volumes.attach.__doc__ == "Attaches it."


def test_an_error_must_be_given_or_being_handled() -> None:
    error = KeyError("disk")
    assert ClientException(error).exc_info == (KeyError, error, None)
    try:
        raise error
    except KeyError:
        assert ClientException().exc_info[1] is error
        other = IndexError()
        assert ClientException(other).exc_info[1] is other
    with pytest.raises(RuntimeError, match="error"):
        ClientException()
