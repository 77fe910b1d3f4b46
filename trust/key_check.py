"""Whether what is signed with this clone's keys will be trusted here: asked before the work, not after it."""

from datetime import UTC, datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from errors import TrustError
from trust.keys import CHAIN, MAKE_THEM, PUBLISH, ROOTS, Signing, keys_folder, read_roots

_TRIAL = b"a trial signature"


def require_usable(signing: Signing) -> None:
    """The certificates must lead to a known root, be valid today, and fit the key. Raises TrustError."""
    chain = x509.load_pem_x509_certificates(signing.chain.encode())
    for certificate in (*chain, _find_root(chain)):
        _require_valid(certificate, datetime.now(UTC))
    if not _does_fit(chain[0], signing.sign(_TRIAL)):
        raise TrustError(f"{_path()}: its first certificate is another key's than the one that signs; {MAKE_THEM}")


def _path() -> str:
    return str(keys_folder() / CHAIN)


def _find_root(chain: list[x509.Certificate]) -> x509.Certificate:
    """The root in trust/roots that the certificates lead to, each issued by the next."""
    for certificate, issuer in pairwise(chain):
        if not _is_issued_by(certificate, issuer):
            raise TrustError(f"{_path()}: a certificate in it is not issued by the next one; put them in order")
    known = read_roots().encode()
    for root in x509.load_pem_x509_certificates(known) if known else []:
        if chain[-1] == root or _is_issued_by(chain[-1], root):
            return root
    raise TrustError(f"{_path()}: no root in {ROOTS} leads to it; {PUBLISH}")


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _require_valid(certificate: x509.Certificate, now: datetime) -> None:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= now <= last:
        name = certificate.subject.rfc4514_string()
        when = f"is valid from {first:%Y-%m-%d} to {last:%Y-%m-%d}, not today"
        raise TrustError(f"{_path()}: the certificate {name} {when}; set the clock, or move the keys away and make new")


def _does_fit(certificate: x509.Certificate, signature: bytes) -> bool:
    """Whether a raw ES256 signature of the trial is by the certificate's key."""
    key = certificate.public_key()
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(encode_dss_signature(r, s), _TRIAL, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
