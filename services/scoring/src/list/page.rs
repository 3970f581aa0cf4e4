//! Page tokens: where the next page of a list starts. A token is sealed with a key of the suite, and bound to the list, the
//! caller and the question: nothing of it can be changed, and it gives no right.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::BatchKey;
use ring::hmac;
use service_kit::error::{ErrorCode, ServiceError};

use super::query::Query;

/// How long a token is good for.
const LIFE: Duration = Duration::from_hours(24);

/// The list that the token was made for is not the one asked for any more.
pub fn moved(list: BatchKey, generation: u32) -> ServiceError {
    ServiceError::new(ErrorCode::ListMoved, "the list was published again since the first page: ask for the first page again")
        .with("list", list.to_string())
        .with("generation", generation.to_string())
}

/// What seals tokens: the same in all replicas.
#[derive(Debug, Clone)]
pub struct Seal(hmac::Key);

impl Seal {
    /// With these bytes as secret.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

/// What a token was made for. It carries no right: everything is checked again on each page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// List.
    pub list: BatchKey,
    /// Its generation.
    pub generation: u32,
    /// Rank of the last entry of the page before: a list never changes, so that it is a place in any order.
    pub after_rank: u32,
}

impl Page {
    /// The token of this page.
    pub fn token(self, query: &Query, seal: &Seal) -> String {
        self.sealed(now() + LIFE.as_secs(), query, seal)
    }

    /// Reads a token back. Refuses one that was changed, is too old, or was made for another question or caller
    /// ([`ErrorCode::PageToken`]).
    pub fn parse(token: &str, query: &Query, seal: &Seal) -> Result<Self, ServiceError> {
        let error =
            || ServiceError::new(ErrorCode::PageToken, "the page token does not belong to this request: ask for the first page again");
        let parts: Vec<&str> = token.split('.').collect();
        let [list, generation, after_rank, expiry, _] = parts[..] else { return Err(error()) };
        let page = Self {
            list: list.parse().map_err(|_| error())?,
            generation: generation.parse().map_err(|_| error())?,
            after_rank: after_rank.parse().map_err(|_| error())?,
        };
        let expiry: u64 = expiry.parse().map_err(|_| error())?;
        let tag = token.rsplit('.').next().and_then(|tag| hex::decode(tag).ok()).ok_or_else(error)?;
        hmac::verify(&seal.0, page.text(expiry, query).as_bytes(), &tag).map_err(|_| error())?;
        if expiry < now() { Err(error()) } else { Ok(page) }
    }

    fn sealed(self, expiry: u64, query: &Query, seal: &Seal) -> String {
        let tag = hmac::sign(&seal.0, self.text(expiry, query).as_bytes());
        format!("{}.{}.{}.{expiry}.{}", self.list, self.generation, self.after_rank, hex::encode(tag))
    }

    fn text(self, expiry: u64, query: &Query) -> String {
        format!("{}|{}|{}|{expiry}|{}", self.list, self.generation, self.after_rank, query.canonical())
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use service_kit::auth::Principal;

    use super::*;

    #[test]
    fn tokens_are_bound_to_their_question_and_cannot_be_changed() {
        let page = Page { list: "2511".parse().unwrap(), generation: 3, after_rank: 50 };
        let query = |filter: &str, order: &str| Query::new(Principal::local(), None, filter, order).unwrap();
        let (first, seal) = (query("department = 21", ""), Seal::new(b"secret"));
        let token = page.token(&first, &seal);
        let read = |token: &str, query: &Query, seal: &Seal| Page::parse(token, query, seal).map_err(|error| error.code());
        assert_eq!(read(&token, &first, &seal), Ok(page));
        let other = Principal { subject: "other".into(), ..Principal::local() };
        for query in
            [query("department = 25", ""), query("department = 21", "name"), Query::new(other, None, "department = 21", "").unwrap()]
        {
            assert_eq!(read(&token, &query, &seal), Err(ErrorCode::PageToken));
        }
        assert!(read(&token, &first, &Seal::new(b"another")).is_err());
        let old = page.sealed(now() - 1, &first, &seal);
        for bad in [&token.replace(".50.", ".51."), &token[..token.len() - 2], "", "x", "2511.3.50.0", "2511.3.50.9999999999.00", &old] {
            assert_eq!(read(bad, &first, &seal), Err(ErrorCode::PageToken), "{bad}");
        }
    }
}
