"""The keys with which this clone signs: certificates for content credentials, and the key of its register.

    python -m trust.keys init [--name NAME] [--if-missing]

Private keys lie in private/keys/ (UNDERSTUDY_PRIVATE names another folder), mode 0600, outside git and DVC. The root's
public certificate and the register's public key go into trust/roots/, for git: by them a colleague's clone verifies
what this one signs. Instead of signing.key there may be a program `sign` (for a key in hardware): it reads bytes and
writes the raw ES256 signature, r and s in 64 bytes.
"""

import argparse
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from errors import TrustError, one_line_errors
from trust.places import private_folder
from trust.register_file import name_writer
from vision.whole import whole_file, whole_folder

ROOTS = Path("trust/roots")
CHAIN, SIGNING, PROGRAM, REGISTER, ROOT = "chain.pem", "signing.key", "sign", "register.key", "root.pem"
MAKE_THEM = "make them: python -m trust.keys init"
PUBLISH = "publish it: python -m trust.keys init --if-missing"
C2PA_CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
YEARS = {"root": 20, "intermediate": 15, "signing": 10}
_LONGEST_NAME = 51  # bytes; with " intermediate" behind it 64, the bound of a common name
_SIGN_SECONDS = 60


@dataclass(frozen=True)
class Signing:
    """What signs credentials: the certificates, the signer's first, as PEM, and bytes -> raw ES256 signature (64,)."""

    chain: str
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True)
class _Issuer:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def init_keys(name: str) -> list[Path]:
    """Make all keys of this clone, and publish what is public of them; where that stands. Raises TrustError."""
    _check_name(name)
    folder = keys_folder()
    if folder.exists():
        raise TrustError(f"{folder}: there are keys already; move that folder away first to make new ones")
    root = _issue(f"{name} root", "root", None)
    between = _issue(f"{name} intermediate", "intermediate", root)
    leaf = _issue(name, "signing", between)
    with whole_folder(folder) as partial:
        partial.chmod(0o700)
        for part, issuer in {"root": root, "intermediate": between, "signing": leaf}.items():
            _write_key(partial / f"{part}.key", issuer.key)
        _write_key(partial / REGISTER, Ed25519PrivateKey.generate())
        chain = [issuer.certificate.public_bytes(serialization.Encoding.PEM) for issuer in (leaf, between)]
        (partial / CHAIN).write_bytes(b"".join(chain))
        (partial / ROOT).write_bytes(root.certificate.public_bytes(serialization.Encoding.PEM))
    return publish_keys()


def publish_keys() -> list[Path]:
    """Put what others verify this clone by into trust/roots/, as far as it is not there; what was put. Raises
    TrustError.

    That is the root's certificate, where root.pem lies beside the keys, and the public key of the register's writer.
    """
    public_key = _load_register_key().public_key().public_bytes_raw()
    public = {ROOTS / f"{name_writer(public_key)}.pub": f"{public_key.hex()}\n".encode()}
    if (keys_folder() / ROOT).exists():
        public[ROOTS / f"{_name_root(keys_folder() / ROOT)}.pem"] = _read(keys_folder() / ROOT)
    missing = [path for path, data in public.items() if not path.exists() or path.read_bytes() != data]
    for path in missing:
        with whole_file(path) as partial:
            partial.write_bytes(public[path])
    return missing


def keys_folder() -> Path:
    return private_folder() / "keys"


def load_signing() -> Signing:
    """What signs credentials here. Raises TrustError where there is none."""
    folder = keys_folder()
    chain = _read_chain(folder / CHAIN)
    if (folder / PROGRAM).exists():
        return Signing(chain, lambda data: _sign_by_program(folder / PROGRAM, data))
    key = _load_key(folder / SIGNING)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.key_size != 256:
        raise TrustError(f"{folder / SIGNING}: is no ES256 key (P-256); {MAKE_THEM}")
    return Signing(chain, lambda data: _sign_raw(key, data))


def load_register_key() -> Ed25519PrivateKey:
    """The key that signs this clone's part of the register. Raises TrustError, also where nobody could know it."""
    key = _load_register_key()
    if key.public_key().public_bytes_raw() not in read_writers():
        raise TrustError(f"{keys_folder() / REGISTER}: its public key is not in {ROOTS}; {PUBLISH}")
    return key


def read_writers() -> set[bytes]:
    """The public keys, raw, of the register's known writers; a file that holds none makes none known."""
    found = set()
    for path in ROOTS.glob("*.pub"):
        with suppress(ValueError):
            found.add(bytes.fromhex(path.read_text(encoding="utf-8")))
    return found


def _load_register_key() -> Ed25519PrivateKey:
    path = keys_folder() / REGISTER
    key = _load_key(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{path}: is no Ed25519 key; {MAKE_THEM}")
    return key


def read_roots() -> str:
    """All roots whose signatures count as trusted here, as PEM; empty where there are none. Bad files are left out."""
    return "".join(map(_read_root, _list_roots()))


def find_bad_roots() -> list[Path]:
    """The files of trust/roots that no certificate can be read from."""
    return [path for path in _list_roots() if not _read_root(path)]


def _list_roots() -> list[Path]:
    return sorted(ROOTS.glob("*.pem"))


def _read_root(path: Path) -> str:
    """A file's certificates as PEM; empty where there are none."""
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return ""
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates)


def _check_name(name: str) -> None:
    if not (name.strip() and name.isprintable() and len(name.encode()) <= _LONGEST_NAME):
        raise TrustError(f"--name: {name!r} cannot stand in a certificate; give 1 to {_LONGEST_NAME} bytes of text")


def _name_root(path: Path) -> str:
    try:
        certificate = x509.load_pem_x509_certificate(_read(path))
    except ValueError:
        raise TrustError(f"{path}: is no certificate in PEM; restore it from your backup of the keys") from None
    return certificate.fingerprint(hashes.SHA256()).hex()[:16]


def _issue(common_name: str, kind: str, issuer: _Issuer | None) -> _Issuer:
    """A key and its certificate, signed by `issuer`, a root by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "made with Understudy"),
        ]
    )
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * YEARS[kind]))
    )
    for extension, is_critical in _extensions(kind, key, issuer):
        builder = builder.add_extension(extension, critical=is_critical)
    return _Issuer(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _extensions(
    kind: str, key: ec.EllipticCurvePrivateKey, issuer: _Issuer | None
) -> list[tuple[x509.ExtensionType, bool]]:
    """What C2PA's certificate profile (C2PA 2.1, 14.5.1) asks for."""
    is_leaf = kind == "signing"
    of_issuer = (issuer.key if issuer else key).public_key()
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=not is_leaf, path_length=None), True),
        (_key_usage(is_leaf=is_leaf), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(of_issuer), False),
    ]
    if is_leaf:
        usages = [ExtendedKeyUsageOID.EMAIL_PROTECTION, C2PA_CLAIM_SIGNING]
        found.append((x509.ExtendedKeyUsage(usages), False))
    return found


def _key_usage(*, is_leaf: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=is_leaf,
        key_cert_sign=not is_leaf,
        crl_sign=not is_leaf,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise TrustError(f"{path}: there is no key to sign with; {MAKE_THEM}") from None
    except OSError as error:
        raise TrustError(f"{path}: cannot be read ({error.strerror}); give yourself access") from None


def _read_chain(path: Path) -> str:
    """The signer's certificates as PEM, as they lie there."""
    data = _read(path)
    try:
        x509.load_pem_x509_certificates(data)
        return data.decode()
    except ValueError:
        raise TrustError(f"{path}: is no chain of certificates in PEM; {MAKE_THEM}") from None


def _load_key(path: Path) -> object:
    data = _read(path)
    try:
        return serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError):
        raise TrustError(f"{path}: is no private key in PEM without a password; {MAKE_THEM}") from None


def _sign_raw(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """ES256 as COSE wants it: r and s side by side, not in DER."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _sign_by_program(program: Path, data: bytes) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603
            [program.absolute()], input=data, capture_output=True, check=False, timeout=_SIGN_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrustError(f"{program}: cannot sign ({error}); mend the program") from None
    if done.returncode or len(done.stdout) != 64:
        said = done.stderr.decode(errors="replace").strip()
        raise TrustError(f"{program}: gave no ES256 signature of 64 bytes ({said or 'no word'}); mend the program")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m trust.keys", description="Make this clone's keys.")
    parser.add_argument("command", choices=["init"])
    parser.add_argument("--name", default="Understudy", help="who signs, as others will read it")
    parser.add_argument("--if-missing", action="store_true", help="leave keys that are there, but publish them")
    arguments = parser.parse_args()
    with one_line_errors():
        if arguments.if_missing and keys_folder().exists():
            published = publish_keys()
        else:
            published = init_keys(arguments.name)
            print(f"keys: {keys_folder()} (private: back it up, and give it to nobody)")
        for path in published:
            print(f"keys: {path} (public: commit it, so that colleagues' clones verify what you sign)")


if __name__ == "__main__":
    main()
