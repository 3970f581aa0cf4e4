//! An identity provider of tests: a key, the file of its public keys, and tokens.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// Who issues the tokens.
pub const ISSUER: &str = "https://id.example/realms/sf";
/// For whom they are.
pub const AUDIENCE: &str = "sf";

/// A key and the file of its public half.
pub struct Provider {
    key: EncodingKey,
    /// The file (JWKS).
    pub jwks: PathBuf,
}

impl Provider {
    /// Makes a key; its public half is in `folder/jwks.json`.
    pub fn new(folder: &Path) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let public = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let x = BASE64_URL_SAFE_NO_PAD.encode(public.public_key().as_ref());
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] });
        let jwks = folder.join("jwks.json");
        std::fs::write(&jwks, keys.to_string()).unwrap();
        Self { key: EncodingKey::from_ed_der(pkcs8.as_ref()), jwks }
    }

    /// A token of ten minutes for someone with these roles.
    pub fn token(&self, subject: &str, roles: &[&str]) -> String {
        self.token_with(subject, roles, |_| ())
    }

    /// The same, with its claims changed.
    pub fn token_with(&self, subject: &str, roles: &[&str], change: impl FnOnce(&mut Value)) -> String {
        let expiry = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600;
        let mut claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "segment": "crp", "exp": expiry,
            "resource_access": { "signauxfaibles": { "roles": roles } },
        });
        change(&mut claims);
        encode(&Header { kid: Some("k".into()), ..Header::new(Algorithm::EdDSA) }, &claims, &self.key).unwrap()
    }
}
