//! The typed rows of the sources: what a parser makes, what a Delta table stores, what the panel reads.
//!
//! One struct a source of `domain/ingestion.md` §1, in modules by who delivers it. Amounts are [`Cents`]; `None` means that the file left
//! the field empty. [`Record::known_at`] is the day from which a row may be used.

use std::hash::Hash;

use chrono::NaiveDate;
use compact_str::CompactString;

use crate::time_rules::{ALWAYS_KNOWN, TimeRules};
use crate::{Cents, Siren, Source};

/// A text of a row. Up to 24 bytes, which most have, it is held in place: reading a row allocates nothing.
pub type Text = CompactString;

/// A typed row of a source.
pub trait Record: Clone + std::fmt::Debug + PartialEq + Send + 'static {
    /// Where the row comes from.
    const SOURCE: Source;

    /// What tells a row of the source from the others.
    type Key: Eq + Hash + Send;

    /// The company that the row is about.
    fn siren(&self) -> Siren;

    /// The natural key of the row: a later delivery of the same key takes its place (`design.md` §3). Rows of one delivery
    /// may share a key; all of them count.
    fn key(&self) -> Self::Key;

    /// The day from which the row is known (`design.md` §3).
    fn known_at(&self, rules: &TimeRules) -> NaiveDate;

    /// The day that the row is about, for reports; `None` when it is about none.
    fn day(&self) -> Option<NaiveDate>;

    /// The amount that the row is about, for reports.
    fn amount(&self) -> Option<Cents> {
        None
    }
}

macro_rules! record {
    ($type:ident, $source:ident, $siren:expr, $key:ty: $key_of:expr, $known_at:expr, $day:expr $(, $amount:expr)?) => {
        impl $crate::records::Record for $type {
            const SOURCE: $crate::Source = $crate::Source::$source;
            type Key = $key;
            #[inline]
            fn siren(&self) -> $crate::Siren {
                let siren: fn(&Self) -> $crate::Siren = $siren;
                siren(self)
            }
            #[inline]
            fn key(&self) -> $key {
                let key: fn(&Self) -> $key = $key_of;
                key(self)
            }
            #[inline]
            fn known_at(&self, rules: &$crate::time_rules::TimeRules) -> chrono::NaiveDate {
                let known_at: fn(&Self, &$crate::time_rules::TimeRules) -> chrono::NaiveDate = $known_at;
                known_at(self, rules)
            }
            #[inline]
            fn day(&self) -> Option<chrono::NaiveDate> {
                let day: fn(&Self) -> Option<chrono::NaiveDate> = $day;
                day(self)
            }
            $(#[inline]
            fn amount(&self) -> Option<$crate::Cents> {
                let amount: fn(&Self) -> Option<$crate::Cents> = $amount;
                amount(self)
            })?
        }
    };
}

mod insee;
mod past;
mod published;
mod short_time_work;
mod urssaf;

pub use insee::{Establishment, EstablishmentState, LegalUnit};
pub use past::{BankRatios, CompanyAccounts, GroupLink};
pub use published::{Accounts, Notice, PaymentDelay};
pub use short_time_work::{ShortTimeConsumption, ShortTimeRequest};
pub use urssaf::{AccountLink, CcsfDecision, CompanyHeadcount, Contribution, Debit, Headcount, PaymentPlan, ProcolEvent};

/// `filter`: a company of an explicit perimeter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterEntry {
    /// Company.
    pub siren: Siren,
}
record!(FilterEntry, Filter, |row| row.siren, Siren: |row| row.siren, |_, _| ALWAYS_KNOWN, |_| None);
