"""TLS towards an OPA server: a CA of one's own or the system's, the host name, and a client certificate."""

import ssl

from policies.engine import EngineOptions
from policies.opa.address import Address, BadPolicyUrl
from policies.opa.private_files import PolicyFileUnreadable, read_private


def client_tls(address: Address, options: EngineOptions) -> ssl.SSLContext | None:
    """Make the context that the options describe; None for plain HTTP.

    A CA file replaces the system's authorities and does not add to them. Raises BadPolicyUrl for TLS options
    beside plain HTTP, PolicyFileExposed and PolicyFileUnreadable.
    """
    named = options.ca or options.certificate or options.client_key
    if not address.secure:
        if named:
            raise BadPolicyUrl("a CA or a client certificate needs https")
        return None
    if (options.certificate is None) != (options.client_key is None):
        raise BadPolicyUrl("the client's certificate and key go together")
    try:
        context = ssl.create_default_context(cafile=options.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if options.certificate and options.client_key:
            read_private(options.client_key)  # refuses one that others may read
            context.load_cert_chain(options.certificate, options.client_key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise PolicyFileUnreadable(f"the TLS files cannot be used: {type(error).__name__}") from error
    return context


def _no_password() -> str:
    """Fail instead of asking a terminal for the passphrase of an encrypted key."""
    raise ValueError("the key has a passphrase")
