"""Certificates of a test, valid for an hour: self-signed, or from an authority, good ones and bad."""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contracts.clock import SystemClock


def write_certificate(certificate: Path, key: Path) -> None:
    """Write a self-signed certificate for 127.0.0.1 and its key as PEM files."""
    private = _new_key()
    name = _named("headwaters.example")
    signed = _for_host(_builder(name, name, private), "127.0.0.1").sign(private, hashes.SHA256())
    certificate.parent.mkdir(parents=True, exist_ok=True)
    certificate.write_bytes(_pem(signed))
    key.write_bytes(_key_pem(private))


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
        self._key = _new_key()
        ca = x509.BasicConstraints(ca=True, path_length=0)
        own = _builder(self._name, self._name, self._key).add_extension(ca, critical=True)
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(_pem(own.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, *, host: str | None = None, hours: int = 1) -> Pair:
        """Sign a certificate that ends in ``hours`` (or ended, below zero), for a server's IP or a client."""
        key = _new_key()
        builder = _builder(self._name, _named(name), key, hours)
        if host is not None:
            builder = _for_host(builder, host)
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        pair.key.touch(0o600)
        pair.key.write_bytes(_key_pem(key))
        return pair


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePrivateKey, hours: int = 1
) -> x509.CertificateBuilder:
    until = SystemClock().now() + timedelta(hours=hours)
    return x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), until - timedelta(hours=2), until
    )


def _for_host(builder: x509.CertificateBuilder, host: str) -> x509.CertificateBuilder:
    address = x509.IPAddress(ipaddress.ip_address(host))
    return builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
