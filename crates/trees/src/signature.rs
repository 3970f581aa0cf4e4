//! Who made a model: an Ed25519 signature (RFC 8032) of its manifest, which holds the digest of everything that scores.
//!
//! Keys are PEM files: PKCS#8 for the private one, SubjectPublicKeyInfo for public ones (RFC 8410), as
//! `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.

use std::path::Path;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What precedes the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a key cannot be used, or a signature does not hold.
#[derive(Debug, Error)]
pub enum SignatureError {
    /// A file that holds no such key.
    #[error("{path} holds no Ed25519 key in PEM: {problem}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A signature that nobody trusted made.
    #[error("the signature is by the key {0}, which is not trusted")]
    Untrusted(String),
    /// A signature of something else.
    #[error("the signature does not fit the manifest: it was changed after it was signed")]
    Broken,
}

/// A signature and the key that made it, both in hexadecimal: `models/<id>/model.sig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Public key.
    pub key: String,
    /// Signature of the bytes of `model.json`.
    pub signature: String,
}

/// A private key.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads a PEM file.
    pub fn read(path: &Path) -> Result<Self, SignatureError> {
        let refused = |problem: String| SignatureError::Key { path: path.display().to_string(), problem };
        let der = PrivatePkcs8KeyDer::from_pem_file(path).map_err(|error| refused(error.to_string()))?;
        Self::from_pkcs8(der.secret_pkcs8_der()).map_err(|error| refused(error.to_string()))
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, ring::error::KeyRejected> {
        // OpenSSL leaves the public key out, which is then computed.
        Ok(Self(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)?))
    }

    /// Signs the bytes of a manifest.
    pub fn sign(&self, manifest: &[u8]) -> Signature {
        Signature { key: hex::encode(self.0.public_key().as_ref()), signature: hex::encode(self.0.sign(manifest).as_ref()) }
    }
}

/// The keys whose models are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedKeys(Vec<[u8; 32]>);

impl TrustedKeys {
    /// Reads PEM files of public keys.
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Self, SignatureError> {
        let key = |path: &P| {
            let path = path.as_ref();
            let refused = |problem: String| SignatureError::Key { path: path.display().to_string(), problem };
            let der = SubjectPublicKeyInfoDer::from_pem_file(path).map_err(|error| refused(error.to_string()))?;
            let bytes = der.as_ref().strip_prefix(&SPKI).ok_or_else(|| refused("it is of another algorithm".to_owned()))?;
            bytes.try_into().map_err(|_| refused("it does not have 32 bytes".to_owned()))
        };
        Ok(Self(paths.iter().map(key).collect::<Result<_, _>>()?))
    }

    /// Whether no key is trusted: then nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that a trusted key made the signature of these bytes.
    pub fn verify(&self, manifest: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let key = hex::decode(&signature.key).unwrap_or_default();
        if !self.0.iter().any(|trusted| trusted.as_slice() == key) {
            return Err(SignatureError::Untrusted(signature.key.clone()));
        }
        let bytes = hex::decode(&signature.signature).map_err(|_| SignatureError::Broken)?;
        UnparsedPublicKey::new(&ED25519, key).verify(manifest, &bytes).map_err(|_| SignatureError::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        let document = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        SigningKey::from_pkcs8(document.as_ref()).unwrap()
    }

    /// A PEM file of these bytes, in the place of one that OpenSSL writes.
    fn pem(folder: &Path, name: &str, label: &str, der: &[u8]) -> std::path::PathBuf {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let group = |bytes: &[u8]| -> String {
            let number = (0..3).fold(0, |number, at| number << 8 | usize::from(bytes.get(at).copied().unwrap_or(0)));
            let letter = |at: usize| if at > bytes.len() { '=' } else { char::from(LETTERS[number >> (18 - 6 * at) & 63]) };
            (0..4).map(letter).collect()
        };
        let text: String = der.chunks(3).map(group).collect();
        let path = folder.join(name);
        std::fs::write(&path, format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")).unwrap();
        path
    }

    #[test]
    fn keys_are_read_from_pem_files_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        // PKCS#8 without the public key, as OpenSSL writes it (RFC 8410, section 7): prefix and seed.
        let private =
            [&[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20][..], &[7; 32]].concat();
        let key = SigningKey::read(&pem(folder.path(), "key.pem", "PRIVATE KEY", &private)).unwrap();
        let public = [&SPKI[..], key.0.public_key().as_ref()].concat();
        let public = pem(folder.path(), "public.pem", "PUBLIC KEY", &public);
        let trusted = TrustedKeys::read(&[&public]).unwrap();
        trusted.verify(b"manifest", &key.sign(b"manifest")).unwrap();
        assert!(SigningKey::read(&public).is_err() && TrustedKeys::read(&[folder.path().join("none.pem")]).is_err());
        let other = pem(folder.path(), "rsa.pem", "PUBLIC KEY", &[0x30, 0x03, 0x02, 0x01, 0x05]);
        assert!(TrustedKeys::read(&[other]).unwrap_err().to_string().contains("another algorithm"));
    }

    #[test]
    fn only_what_a_trusted_key_signed_holds() {
        let (key, other) = (key(), self::key());
        let public = |key: &SigningKey| key.0.public_key().as_ref().try_into().unwrap();
        let trusted = TrustedKeys(vec![public(&key)]);
        let signature = key.sign(b"manifest");
        trusted.verify(b"manifest", &signature).unwrap();
        assert!(matches!(trusted.verify(b"manifesto", &signature), Err(SignatureError::Broken)));
        assert!(matches!(trusted.verify(b"manifest", &other.sign(b"manifest")), Err(SignatureError::Untrusted(_))));
        let forged = Signature { key: signature.key, ..other.sign(b"manifest") };
        assert!(matches!(trusted.verify(b"manifest", &forged), Err(SignatureError::Broken)));
        assert!(matches!(
            trusted.verify(b"manifest", &Signature { key: "no".into(), signature: "no".into() }),
            Err(SignatureError::Untrusted(_))
        ));
    }
}
