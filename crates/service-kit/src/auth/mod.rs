//! Who calls, and what they may do: from a token to a [`Principal`], and from a principal and a method to yes or no.
//!
//! Tokens, or certificates where there is no token, are checked once, in front of all services ([`guard`]); a handler reads the principal from its request. What may
//! be *seen* of a company is decided by the service that shows it.

mod claims;
mod guard;
mod keys;
mod policy;

use std::collections::BTreeMap;
use std::path::PathBuf;

use domain::{Department, DepartmentSet};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tonic::Request;

pub use guard::{Authenticator, guard};
pub use policy::lacking;

use crate::error::{ErrorCode, ServiceError};

/// Settings of an identity provider. Without any, every caller is the local user, who may do everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Who must have issued tokens (`iss`).
    pub issuer: String,
    /// For whom they must be (`aud`).
    pub audience: String,
    /// Keys of the issuer (JWKS, RFC 7517): an `https` or `http` address, or a file.
    pub jwks: String,
    /// Client of Keycloak whose roles count (`resource_access.<client>.roles`).
    #[serde(default = "default_client")]
    pub client: String,
    /// Authorities (PEM) of the address of the keys, besides those of the web.
    #[serde(default)]
    pub authorities: Option<PathBuf>,
    /// Rights of services that show a certificate and no token, by a URI of the certificate, for example
    /// `"spiffe://signaux-faibles/scoring" = ["svc.features"]`.
    #[serde(default)]
    pub certificates: BTreeMap<String, Vec<String>>,
}

fn default_client() -> String {
    "signauxfaibles".to_owned()
}

/// Something that a caller may see or do (`domain/consumers.md` §6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// Levels, ranks, first alerts and groups.
    Score,
    /// Features behind a score.
    Explain,
    /// Contributions, debts and payment plans.
    Urssaf,
    /// Short-time work.
    Dgefp,
    /// State-guaranteed loans.
    Pge,
    /// Data of the Banque de France.
    Bdf,
    /// Tax data, and accounts that are not published.
    Fiscal,
    /// Figures of use.
    Stats,
    /// Running the suite: imports, builds, models, publication, audit.
    Operator,
    /// A service that asks for scores of any company.
    ServiceScore,
    /// A service that asks for features of any company.
    ServiceFeatures,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Score,
        Self::Explain,
        Self::Urssaf,
        Self::Dgefp,
        Self::Pge,
        Self::Bdf,
        Self::Fiscal,
        Self::Stats,
        Self::Operator,
        Self::ServiceScore,
        Self::ServiceFeatures,
    ];

    /// The right of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.name() == name)
    }

    /// Its name in tokens, errors and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Explain => "explain",
            Self::Urssaf => "urssaf",
            Self::Dgefp => "dgefp",
            Self::Pge => "pge",
            Self::Bdf => "bdf",
            Self::Fiscal => "fiscal",
            Self::Stats => "stats",
            Self::Operator => "operator",
            Self::ServiceScore => "svc.score",
            Self::ServiceFeatures => "svc.features",
        }
    }
}

/// A set of rights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u16);

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether this one is among them.
    pub const fn has(self, right: Right) -> bool {
        self.0 >> right as u16 & 1 == 1
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |bits, right| bits | 1 << right as u16))
    }
}

/// A caller whose identity was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who: the subject of the token, or the URI of the certificate.
    pub subject: String,
    /// Which partner administration, for example `crp`; empty when the token does not say.
    pub segment: String,
    /// Departments that the caller works in.
    pub territories: DepartmentSet,
    /// What the caller may see and do.
    pub rights: Rights,
}

impl Principal {
    /// The user of a program that runs everything in itself, without identity provider.
    pub fn local() -> Self {
        Self {
            subject: "local".to_owned(),
            segment: String::new(),
            territories: Department::all().collect(),
            rights: Right::ALL.into_iter().collect(),
        }
    }

    /// A service that showed a certificate.
    pub(crate) fn service(uri: &str, rights: Rights) -> Self {
        Self { subject: uri.to_owned(), segment: String::new(), territories: DepartmentSet::default(), rights }
    }

    /// The caller of a request. [`guard`] puts it there: a request without one passed no guard, and is refused.
    pub fn of<T>(request: &Request<T>) -> Result<Self, ServiceError> {
        let missing = || ServiceError::new(ErrorCode::Unauthenticated, "no token was checked for this request");
        request.extensions().get::<Self>().cloned().ok_or_else(missing)
    }

    /// A name for documents that must not tell who: a digest of the subject.
    pub fn pseudonym(&self) -> String {
        hex::encode(Sha256::digest(&self.subject))
    }

    /// Whether the caller has this right.
    pub const fn has(&self, right: Right) -> bool {
        self.rights.has(right)
    }

    /// Refuses a caller who lacks a right that `what` needs.
    pub fn require(&self, right: Right, what: &str) -> Result<(), ServiceError> {
        if self.has(right) {
            return Ok(());
        }
        let message = format!("{what} needs the right '{}': ask who manages your account", right.name());
        Err(ServiceError::new(ErrorCode::RightMissing, message).with("right", right.name()).with("what", what))
    }
}
