//! What of an entry a reader is shown. Every way out of a list, a page, a stream or a file, goes through [`Reader::view`].

use service_kit::auth::{Right, Rights};

use super::entry::{Entry, Indicators};
use super::filter::{Flag, Number};
use crate::reasons;

/// Fields that need a right beyond that of the score, by the name that replies give them.
const GATED: [(&str, Option<Right>); 4] = [
    ("indicators.social_debt", Number::SocialDebt.right()),
    ("indicators.social_debt_rising", Flag::SocialDebtRising.right()),
    ("indicators.payment_plan", Flag::PaymentPlan.right()),
    ("indicators.short_time_hours", Number::ShortTimeHours.right()),
];
/// Rights that the reasons of a score may need.
const BEHIND_REASONS: [Right; 4] = [Right::Explain, Right::Urssaf, Right::Dgefp, Right::Bdf];

/// A reader of entries.
#[derive(Debug, Clone, Copy)]
pub struct Reader(Rights);

impl Reader {
    /// With these rights.
    pub const fn new(rights: Rights) -> Self {
        Self(rights)
    }

    /// Fields that are held back. It depends on the rights alone: that a field is empty tells nothing of its value.
    pub fn withheld(self) -> impl Iterator<Item = &'static str> {
        let gated = GATED.into_iter().filter(move |(_, right)| !self.opens(*right)).map(|(field, _)| field);
        let reasons = BEHIND_REASONS.iter().any(|right| !self.0.has(*right)).then_some("reasons");
        gated.chain(reasons)
    }

    /// Whether a field that needs this right is the reader's to see.
    pub fn opens(self, right: Option<Right>) -> bool {
        right.is_none_or(|right| self.0.has(right))
    }

    /// The entry without what the reader may not see.
    pub fn view(self, entry: &Entry) -> Entry {
        Entry {
            reasons: reasons::shown(&entry.reasons, self.0).cloned().collect(),
            indicators: Indicators {
                social_debt: entry.indicators.social_debt.filter(|_| self.opens(Number::SocialDebt.right())),
                social_debt_rising: entry.indicators.social_debt_rising.filter(|_| self.opens(Flag::SocialDebtRising.right())),
                payment_plan: entry.indicators.payment_plan.filter(|_| self.opens(Flag::PaymentPlan.right())),
                short_time_hours: entry.indicators.short_time_hours.filter(|_| self.opens(Number::ShortTimeHours.right())),
                ..entry.indicators
            },
            ..entry.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Reason;
    use super::super::tests::entry;
    use super::*;

    #[test]
    fn a_reader_sees_what_their_rights_allow() {
        let mut company = entry(1, "21", 0.5);
        company.reasons =
            vec![Reason { text: "Dette : 3 €".into(), right: Some(Right::Urssaf) }, Reason { text: "Effectif : 3".into(), right: None }];
        company.indicators = Indicators {
            headcount: Some(3.0),
            social_debt: Some(3.0),
            short_time_hours: Some(3.0),
            social_debt_rising: Some(true),
            payment_plan: Some(true),
            turnover: Some(3.0),
        };
        let all = Reader::new(Right::ALL.into_iter().collect());
        assert_eq!((all.view(&company), all.withheld().count()), (company.clone(), 0));
        let bare = Reader::new([Right::Score].into_iter().collect());
        let seen = bare.view(&company);
        assert!(seen.reasons.is_empty());
        assert_eq!(seen.indicators, Indicators { headcount: Some(3.0), turnover: Some(3.0), ..Indicators::default() });
        assert_eq!(bare.withheld().count(), 5);
        let explained = Reader::new([Right::Score, Right::Explain].into_iter().collect()).view(&company);
        assert_eq!(explained.reasons, company.reasons[1..]);
    }
}
