//! Whose an Urssaf account was on a day, for files that name accounts only (`domain/ingestion.md` §1.4).

use std::collections::HashMap;

use domain::records::AccountLink;
use domain::{NaiveDate, Siret};

/// Accounts and their establishments. The rule is that of the existing system: of the establishments of an account, the
/// first one that closes after the day; opening days are not known.
#[derive(Debug, Default)]
pub struct AccountLinks {
    by_account: HashMap<Box<[u8]>, Vec<(NaiveDate, Siret)>>,
}

impl AccountLinks {
    /// Whose the account was on this day.
    pub fn at(&self, account: &[u8], day: NaiveDate) -> Option<Siret> {
        let links = self.by_account.get(account)?;
        links.get(links.partition_point(|(closing, _)| *closing <= day)).map(|(_, siret)| *siret)
    }

    /// Number of accounts.
    pub fn len(&self) -> usize {
        self.by_account.len()
    }

    /// Whether no account is known.
    pub fn is_empty(&self) -> bool {
        self.by_account.is_empty()
    }
}

impl FromIterator<AccountLink> for AccountLinks {
    fn from_iter<I: IntoIterator<Item = AccountLink>>(links: I) -> Self {
        let mut by_account: HashMap<Box<[u8]>, Vec<(NaiveDate, Siret)>> = HashMap::new();
        for link in links {
            let closing = link.closed_on.unwrap_or(NaiveDate::MAX);
            by_account.entry(link.account.as_bytes().into()).or_default().push((closing, link.siret));
        }
        for links in by_account.values_mut() {
            links.sort_unstable();
            links.dedup();
        }
        Self { by_account }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of §1.4.
    #[test]
    fn an_account_is_of_the_establishment_that_closes_next() {
        let day = |text: &str| domain::dates::parse_iso(text.as_bytes()).unwrap();
        let link =
            |siret: &str, closed: &str| AccountLink { account: "abc".into(), siret: siret.parse().unwrap(), closed_on: Some(day(closed)) };
        let (first, second) = ("01234567891011", "87654321091011");
        let links: AccountLinks = [link(second, "2016-01-01"), link(first, "2015-01-01")].into_iter().collect();
        for (date, expected) in
            [("2014-06-01", Some(first)), ("2014-12-31", Some(first)), ("2015-01-01", Some(second)), ("2016-01-01", None)]
        {
            assert_eq!(links.at(b"abc", day(date)).map(|siret| siret.to_string()).as_deref(), expected, "{date}");
        }
        assert_eq!(links.at(b"abd", day("2014-06-01")), None);
        assert_eq!((links.len(), links.is_empty()), (1, false));
    }
}
