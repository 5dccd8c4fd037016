"""The certificate of this cell and its key, read from their files and checked.

The driver ``direct`` reads them before it makes its TLS contexts, and ``cells-status upgrade check`` before managers
start.
"""

from __future__ import annotations

from pathlib import Path

from cells import exceptions, private_files
from cells.certificates import issuing
from cells.certificates.certificate import CREATE, Certificate, read_file, read_text


def read(certificate: Path, key: Path) -> Certificate:
    """Return the certificate of this cell.  Its dates are not checked.

    :param certificate: the file with the certificate, the first one if it has several
    :param key: the file with its private key
    :raises cells.exceptions.CertificateError: a file is missing or damaged, the certificate is not one of a cell
        (reason ``authority``), or the key belongs to another certificate (``mismatch``)
    :raises cells.exceptions.ConfigurationError: a file cannot be read, or other users can read the key
    """
    found = read_file(certificate)[0]
    found.check_is_of_a_cell()
    if not issuing.is_key_of(read_key(key), found):
        raise exceptions.CertificateError(
            f"{key} is not the key of the certificate in {certificate}: copy both files from the same source, or "
            "create both with 'cells cert create --force'.",
            reason="mismatch",
        )
    return found


def read_key(file: Path, create: str = CREATE) -> issuing.PrivateKey:
    """Return the private key in ``file``, which no other user may read.

    :param create: the command that creates the key, for the error
    :raises cells.exceptions.CertificateError: the file is missing, or has no usable key
    :raises cells.exceptions.ConfigurationError: it cannot be read, or other users can read it
    """
    text = read_text(file, create)
    private_files.check_is_private(file, f"{create} --force")
    return issuing.read_key(text, str(file))
