//! In front of all services: checks the token of a request, or the certificate of its connection, and whether its bearer may call
//! the method, now.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tonic::Status;
use tonic::service::Routes;
use tracing::Instrument;

use super::keys::Keys;
use super::{AuthConfig, Principal, Right, Rights, claims, lacking};
use crate::audit::{Audited, Record, Trail, purpose};
use crate::call;
use crate::error::{ErrorCode, ServiceError};
use crate::limits::{Limits, Permit};
use crate::tls::Caller;

/// Signatures that are accepted: public keys only. A shared secret would let every service issue tokens.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Checks tokens.
#[derive(Clone)]
pub struct Authenticator(Option<Arc<Provider>>);

struct Provider {
    config: AuthConfig,
    keys: Keys,
    /// Rights by URI of a certificate.
    certificates: BTreeMap<String, Rights>,
}

impl Authenticator {
    /// With this identity provider; without one, every caller is the local user.
    pub fn new(config: Option<&AuthConfig>) -> Result<Self, ServiceError> {
        let Some(config) = config else { return Ok(Self(None)) };
        let certificates = config.certificates.iter().map(|(uri, names)| {
            let rights = names.iter().map(|name| {
                let wrong = || ServiceError::new(ErrorCode::Configuration, format!("auth.certificates: '{name}' is no right"));
                Right::parse(name).ok_or_else(wrong)
            });
            Ok((uri.clone(), rights.collect::<Result<Rights, _>>()?))
        });
        let certificates = certificates.collect::<Result<_, ServiceError>>()?;
        Ok(Self(Some(Arc::new(Provider { config: config.clone(), keys: Keys::new(config)?, certificates }))))
    }

    /// Says in the log that nobody is checked, if so: for programs that others can call.
    pub fn announce(&self) {
        if self.0.is_none() {
            tracing::warn!("no identity provider is configured ([auth]): every caller may do everything");
        }
    }

    /// The caller that a header `authorization` stands for, or without one the certificate that the connection was made with.
    pub async fn authenticate(&self, header: Option<&str>, identities: &[String]) -> Result<Principal, ServiceError> {
        let Some(provider) = &self.0 else { return Ok(Principal::local()) };
        if header.is_none()
            && let Some((uri, rights)) = identities.iter().find_map(|uri| provider.certificates.get_key_value(uri))
        {
            return Ok(Principal::service(uri, *rights));
        }
        let token = header.and_then(|header| header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("bearer ")));
        let token = token.ok_or_else(|| unauthenticated("a token is needed: send it as `authorization: Bearer …`"))?;
        provider.check(token.trim()).await
    }
}

impl Provider {
    async fn check(&self, token: &str) -> Result<Principal, ServiceError> {
        let header = decode_header(token).map_err(|_| unauthenticated("what was sent is not a token"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(unauthenticated("the token is not signed in an accepted way"));
        }
        let name = header.kid.ok_or_else(|| unauthenticated("the token does not name its key"))?;
        let key = self.keys.get(&name).await?.ok_or_else(|| unauthenticated("the token's key is not one of the identity provider"))?;
        let key = DecodingKey::from_jwk(&key).map_err(|_| unauthenticated("the token's key cannot be used"))?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = 30;
        let token =
            decode::<Value>(token, &key, &validation).map_err(|error| unauthenticated(&format!("the token is refused: {error}")))?;
        Ok(claims::principal(&token.claims, &self.config.client))
    }
}

fn gone() -> Status {
    Status::deadline_exceeded("the time that the caller gave is over")
}

fn unauthenticated(why: &str) -> ServiceError {
    ServiceError::new(ErrorCode::Unauthenticated, why)
}

/// Puts the guard in front of these services.
pub fn guard(routes: Routes, authenticator: Authenticator, trail: Trail, limits: Limits) -> Routes {
    Routes::from(routes.into_axum_router().layer(from_fn_with_state((authenticator, trail, limits), pass)))
}

async fn pass(State((authenticator, trail, limits)): State<(Authenticator, Trail, Limits)>, mut request: Request, next: Next) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (path, purpose) = (request.uri().path().to_owned(), purpose(request.headers()));
    let identities = request.extensions().get::<Caller>().map(|caller| Arc::clone(&caller.identities)).unwrap_or_default();
    let principal = authenticator.authenticate(header, &identities).await;
    if let Ok(principal) = &principal
        && let Err(error) = limits.count(principal)
    {
        return Status::from(error).into_http();
    }
    let caller = principal.as_ref().ok().filter(|_| trail.is_on()).cloned();
    let checked = principal.and_then(|principal| match lacking(&path, &principal) {
        None => Ok(principal),
        Some(right) => principal.require(right, &path).map(|()| principal),
    });
    let deadline = call::current();
    let permit = request.extensions().get::<Arc<Permit>>().cloned();
    let checked = match &permit {
        Some(permit) => checked.and_then(|principal| permit.enter().map(|()| principal)),
        None => checked,
    };
    let answered = async move {
        match checked {
            Ok(principal) => {
                request.extensions_mut().insert(principal);
                next.run(request).await
            }
            Err(error) => Status::from(error).into_http(),
        }
    };
    // Whoever has no token that holds is not recorded: they could fill the record until others are refused.
    let Some(caller) = caller.filter(|_| Record::is_kept(&path)) else { return answered.await };
    // A task of its own: a caller who leaves, or whose deadline passes, must not take the record of what was done with them.
    let recorded = async move {
        // As long as it works it counts, whoever has gone; and it ends when its caller said that nobody would wait any longer.
        let _counted = permit;
        let response = match deadline {
            None => answered.await,
            // The task is another one: what the request asks of others keeps its deadline.
            Some(until) => {
                tokio::time::timeout_at(until.into(), call::within(deadline, answered)).await.unwrap_or_else(|_| gone().into_http())
            }
        };
        let audited = response.extensions().get::<Audited>().cloned().unwrap_or_default();
        let durable = audited.durable;
        let kept = trail.keep(&Record::of(&caller, &path, purpose, response.headers(), audited));
        let stored = if durable && kept.is_ok() { trail.flush().await } else { kept };
        stored.map_or_else(|error| Status::from(error).into_http(), |()| response)
    };
    tokio::spawn(recorded.in_current_span()).await.unwrap_or_else(|error| Status::internal(error.to_string()).into_http())
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    struct Issuer {
        key: EncodingKey,
        folder: tempfile::TempDir,
    }

    fn base64(bytes: &[u8]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    impl Issuer {
        fn new() -> Self {
            let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
            let public = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
            let x = base64(public.public_key().as_ref());
            let folder = tempfile::tempdir().unwrap();
            let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x, "use": "sig" }] });
            std::fs::write(folder.path().join("jwks.json"), keys.to_string()).unwrap();
            Self { key: EncodingKey::from_ed_der(pkcs8.as_ref()), folder }
        }

        fn authenticator(&self) -> Authenticator {
            let config = AuthConfig {
                issuer: "https://id.example".into(),
                audience: "sf".into(),
                jwks: self.folder.path().join("jwks.json").display().to_string(),
                client: "signauxfaibles".into(),
                authorities: None,
                certificates: BTreeMap::from([("spiffe://sf/scoring".to_owned(), vec!["svc.features".to_owned()])]),
            };
            Authenticator::new(Some(&config)).unwrap()
        }

        fn token(&self, kid: &str, change: impl Fn(&mut Value)) -> String {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let mut claims = json!({ "iss": "https://id.example", "aud": "sf", "sub": "u", "exp": now + 60, "roles": ["score", "21"] });
            change(&mut claims);
            encode(&Header { kid: Some(kid.into()), ..Header::new(Algorithm::EdDSA) }, &claims, &self.key).unwrap()
        }
    }

    async fn checked(authenticator: &Authenticator, token: &str) -> Result<Principal, ErrorCode> {
        authenticator.authenticate(Some(&format!("Bearer {token}")), &[]).await.map_err(|error| error.code())
    }

    #[tokio::test]
    async fn a_token_is_checked_in_every_part() {
        let issuer = Issuer::new();
        let authenticator = issuer.authenticator();
        let principal = checked(&authenticator, &issuer.token("k1", |_| ())).await.unwrap();
        assert!(principal.has(super::super::Right::Score) && principal.territories.len() == 1);
        let refused = [
            issuer.token("k2", |_| ()),
            issuer.token("k1", |claims| claims["iss"] = "https://evil.example".into()),
            issuer.token("k1", |claims| claims["aud"] = "other".into()),
            issuer.token("k1", |claims| claims["exp"] = 1_000.into()),
            issuer.token("k1", |claims| claims["nbf"] = 99_999_999_999u64.into()),
            issuer.token("k1", |claims| drop(claims.as_object_mut().unwrap().remove("exp"))),
            issuer.token("k1", |claims| drop(claims.as_object_mut().unwrap().remove("sub"))),
            Issuer::new().token("k1", |_| ()),
            encode(&Header { kid: Some("k1".into()), ..Header::default() }, &json!({}), &EncodingKey::from_secret(b"x")).unwrap(),
            issuer.token("k1", |_| ())[..80].to_owned(),
            String::new(),
        ];
        for token in refused {
            assert_eq!(checked(&authenticator, &token).await, Err(ErrorCode::Unauthenticated), "{token}");
        }
        assert_eq!(authenticator.authenticate(None, &[]).await.unwrap_err().code(), ErrorCode::Unauthenticated);
        assert_eq!(authenticator.authenticate(Some("Basic dTpw"), &[]).await.unwrap_err().code(), ErrorCode::Unauthenticated);
    }

    #[tokio::test]
    async fn unsigned_tokens_are_refused() {
        let issuer = Issuer::new();
        let claims = issuer.token("k1", |_| ()).split('.').nth(1).unwrap().to_owned();
        let none = format!("{}.{claims}.", base64(br#"{"alg":"none","kid":"k1"}"#));
        assert_eq!(checked(&issuer.authenticator(), &none).await, Err(ErrorCode::Unauthenticated));
    }

    #[tokio::test]
    async fn keys_that_cannot_be_read_are_an_outage_and_no_refusal() {
        let issuer = Issuer::new();
        let known = issuer.authenticator();
        assert!(checked(&known, &issuer.token("k1", |_| ())).await.is_ok());
        let fresh = issuer.authenticator();
        std::fs::remove_file(issuer.folder.path().join("jwks.json")).unwrap();
        for _ in 0..2 {
            assert_eq!(checked(&fresh, &issuer.token("k1", |_| ())).await, Err(ErrorCode::IdentityUnavailable));
        }
        assert!(checked(&known, &issuer.token("k1", |_| ())).await.is_ok(), "keys that are known go on being used");
    }

    #[tokio::test]
    async fn a_certificate_stands_for_a_service_where_there_is_no_token() {
        let authenticator = Issuer::new().authenticator();
        let named = |uri: &str| [uri.to_owned()];
        let service = authenticator.authenticate(None, &named("spiffe://sf/scoring")).await.unwrap();
        assert!(service.has(Right::ServiceFeatures) && !service.has(Right::Operator) && service.territories.is_empty());
        assert!(authenticator.authenticate(None, &named("spiffe://sf/other")).await.is_err());
        assert!(authenticator.authenticate(Some("Bearer x"), &named("spiffe://sf/scoring")).await.is_err(), "a bad token is no absent one");
    }

    #[tokio::test]
    async fn without_provider_the_caller_is_the_local_user() {
        assert_eq!(Authenticator::new(None).unwrap().authenticate(None, &[]).await.unwrap(), Principal::local());
    }
}
