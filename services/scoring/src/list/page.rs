//! Page tokens: where the next page of a list starts, bound to the list and the filter.

use domain::BatchKey;
use service_kit::error::{ErrorCode, ServiceError};
use sha2::{Digest, Sha256};

use super::filter::Filter;

/// Largest page.
pub const MAX_PAGE: i32 = 500;
/// Page when the caller asks for none.
pub const DEFAULT_PAGE: i32 = 50;

/// The size asked for, checked: `0` means the default, more than the maximum is cut to it, a negative one is refused.
pub fn size(asked: i32) -> Result<usize, ServiceError> {
    match asked {
        0 => Ok(DEFAULT_PAGE as usize),
        asked if asked < 0 => {
            Err(ServiceError::new(ErrorCode::InvalidArgument, "page_size must not be negative").with("field", "page_size"))
        }
        asked => Ok(asked.min(MAX_PAGE) as usize),
    }
}

/// The list that the token was made for is not the one asked for any more.
pub fn moved() -> ServiceError {
    ServiceError::new(ErrorCode::PageToken, "the list was published again since the first page: ask for the first page again")
}

/// What a token was made for. It carries no right: everything is checked again on each page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// List.
    pub list: BatchKey,
    /// Its generation.
    pub generation: u32,
    /// Rank after which the next page starts.
    pub after_rank: u32,
}

impl Page {
    /// The token of this page: readable parts, then a digest of them and of the filter.
    pub fn token(self, filter: &Filter) -> String {
        format!("{}.{}.{}.{}", self.list, self.generation, self.after_rank, self.digest(filter))
    }

    /// Reads a token back. Refuses one made for another filter ([`ErrorCode::PageToken`]).
    pub fn parse(token: &str, filter: &Filter) -> Result<Self, ServiceError> {
        let error =
            || ServiceError::new(ErrorCode::PageToken, "the page token does not belong to this request: ask for the first page again");
        let parts: Vec<&str> = token.split('.').collect();
        let [list, generation, after_rank, digest] = parts[..] else { return Err(error()) };
        let page = Self {
            list: list.parse().map_err(|_| error())?,
            generation: generation.parse().map_err(|_| error())?,
            after_rank: after_rank.parse().map_err(|_| error())?,
        };
        if page.digest(filter) == digest { Ok(page) } else { Err(error()) }
    }

    fn digest(self, filter: &Filter) -> String {
        let text = format!("{}|{}|{}|{}", self.list, self.generation, self.after_rank, filter.canonical());
        hex::encode(&Sha256::digest(text)[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_bound_to_their_filter() {
        let page = Page { list: "2511".parse().unwrap(), generation: 3, after_rank: 50 };
        let filter = Filter::default();
        let other = Filter::parse(Some(api::lists::RankedListFilter { departments: vec!["21".into()], ..Default::default() })).unwrap();
        let token = page.token(&filter);
        assert_eq!(Page::parse(&token, &filter).unwrap(), page);
        assert!(Page::parse(&token, &other).is_err());
        assert!(Page::parse(&token.replace(".50.", ".51."), &filter).is_err());
        for bad in ["", "x", "2511.3.50", "2511.3.50.00.00"] {
            assert!(Page::parse(bad, &filter).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_have_a_default_and_a_maximum() {
        assert_eq!((size(0).unwrap(), size(7).unwrap(), size(9_999).unwrap()), (50, 7, 500));
        assert!(size(-1).is_err());
    }
}
