"""TLSError: why a connection has no TLS session with a neighbor, or loses it."""

from __future__ import annotations

import ssl

from cells import exceptions

#: OpenSSL's names of alerts of the peer contain this word, its names of own findings do not.
_ALERT = "_ALERT_"
#: X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_INVALID_CA
_NOT_YET_VALID, _EXPIRED, _INVALID_AUTHORITY = 9, 10, 79
_OF_A_CERTIFICATE = {
    _EXPIRED: ("expired", "The peer's certificate has expired: create a new one there, and register it here."),
    _NOT_YET_VALID: ("not_yet_valid", "The peer's certificate is not valid yet: check the clocks of both cells."),
    _INVALID_AUTHORITY: (
        "signed_by_a_cell",
        "The peer's certificate is signed by that of a cell, which is no authority: register the certificate itself.",
    ),
}


class TLSError(exceptions.CellsError):
    """Raised when a connection has no TLS 1.3 session with a neighbor, or loses it.

    ``reason`` is one of these words, which counters and tests use:

    ``expired``, ``not_yet_valid``
        the dates of the peer's certificate
    ``unknown_certificate``
        it is not registered, and no named authority signed it
    ``signed_by_a_cell``
        it is signed by the certificate of a cell, which is no authority
    ``wrong_name``
        a named authority signed it, and it names no neighbor
    ``shared_certificate``
        it is registered for several neighbors
    ``other_neighbor``
        it is that of another neighbor than the one at whose address this cell asked
    ``no_certificate``
        the peer has sent none
    ``old_version``
        the peer speaks no TLS 1.3
    ``other_protocol``
        it speaks TLS 1.3, but not with the protocol of direct links inside
    ``no_tls``
        its bytes are no handshake of TLS
    ``refused_by_peer``
        the peer sent an alert, for example because it does not know this cell's certificate
    ``broken``
        the connection ended without notice, or its bytes were changed on the way
    """

    reason: str | None = None


def during_handshake(error: ssl.SSLError) -> TLSError:
    """Return the named error for an error of OpenSSL before the end of the handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_error(error)
    if isinstance(error, ssl.SSLZeroReturnError):
        return TLSError("The peer ended the TLS session during the handshake.", reason="broken")
    reason = error.reason or ""
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return TLSError(
            "The peer sent no certificate: set [cells_direct] certificate and key there.", reason="no_certificate"
        )
    if "PROTOCOL_VERSION" in reason or reason == "UNSUPPORTED_PROTOCOL":
        return TLSError("The peer does not speak TLS 1.3, which direct links need.", reason="old_version")
    if _ALERT in reason:
        return _refused_by_peer(reason)
    return TLSError(
        f"The peer's bytes are no handshake of TLS 1.3 ({reason or error}): check that the address is that of a "
        "manager's [cells_direct] listen.",
        reason="no_tls",
    )


def after_handshake(error: ssl.SSLError) -> TLSError:
    """Return the named error for an error of OpenSSL after the end of the handshake.

    In TLS 1.3 the client's handshake ends before the server has checked the client's certificate.
    """
    reason = error.reason or ""
    if _ALERT in reason:
        return _refused_by_peer(reason)
    return TLSError(f"The bytes of the connection were changed on the way ({reason or error}).", reason="broken")


def _refused_by_peer(alert: str) -> TLSError:
    return TLSError(
        f"The peer refused the connection (TLS alert {alert.partition(_ALERT)[2].lower()}). If the alert is about a "
        "certificate or a CA, check that this cell's certificate is registered there, and its dates.",
        reason="refused_by_peer",
    )


def _certificate_error(error: ssl.SSLCertVerificationError) -> TLSError:
    if error.verify_code in _OF_A_CERTIFICATE:
        reason, text = _OF_A_CERTIFICATE[error.verify_code]
        return TLSError(text, reason=reason)
    return TLSError(
        "The peer's certificate is not registered here, and no authority of [cells_direct] ca signed it "
        f"({error.verify_message}): register the certificate of the neighbor.",
        reason="unknown_certificate",
    )
