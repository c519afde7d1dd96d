"""A certificate authority of a test: it signs certificates for servers and clients, good and bad."""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contracts.clock import SystemClock


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs with a key of its own; ``certificate`` is the file that trusts it."""

    def __init__(self, folder: Path, name: str) -> None:
        """Make the authority's own certificate in ``folder``."""
        self._folder = folder
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        ca = x509.BasicConstraints(ca=True, path_length=0)
        own = self._builder(self._name, self._key, hours=1).add_extension(ca, critical=True)
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(_pem(own.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, *, host: str | None = None, hours: int = 1) -> Pair:
        """Sign a certificate that ends in ``hours`` (or ended, below zero), for a server's IP or a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_named(name), key, hours)
        if host is not None:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False
            )
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        pair.key.touch(0o600)
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pair

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, hours: int
    ) -> x509.CertificateBuilder:
        until = SystemClock().now() + timedelta(hours=hours)
        return x509.CertificateBuilder(
            self._name,
            subject,
            key.public_key(),
            x509.random_serial_number(),
            until - timedelta(hours=2),
            until,
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
