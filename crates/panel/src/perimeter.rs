//! Which companies are followed: enough employees, minus the exclusions (`domain/ingestion.md` §2.5).

use domain::Month;
use domain::records::{Establishment, LegalUnit};
use serde::{Deserialize, Serialize};

use crate::rows::CompanyRows;
use crate::series::ByMonth;

/// How large a company must have been to be followed: so many employees, in one of so many months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SizeRule {
    /// Employees.
    pub headcount: u32,
    /// Months looked at, up to the last known one. The existing system's: 36 since March 2026, 120 for a month before,
    /// 100 until then (`domain/ingestion.md` §2.5).
    pub months: u32,
}

impl Default for SizeRule {
    fn default() -> Self {
        Self { headcount: 10, months: 36 }
    }
}

impl SizeRule {
    /// Whether a headcount of this month counts for a perimeter whose last month with any headcount is `last`.
    pub fn counts(self, month: Month, last: Month) -> bool {
        month <= last && i64::from(last.since(month)) < i64::from(self.months)
    }

    /// Whether the band of SIRENE says enough employees.
    pub fn enough_by_band(self, unit: &LegalUnit) -> bool {
        unit.headcount_band.is_some_and(|band| band.minimum() >= self.headcount)
    }

    /// Whether a company had enough employees in one of the months that count when `last` is the last one known. The
    /// establishments stand in as long as nothing of the company's own file is known.
    pub(crate) fn enough(self, (company, establishments): &(ByMonth, ByMonth), last: Month) -> bool {
        let known = company.first_key_value().is_some_and(|(first, _)| *first <= last);
        let headcounts = if known { company } else { establishments };
        headcounts.iter().any(|(month, headcount)| *headcount >= self.headcount && self.counts(*month, last))
    }
}

/// What a perimeter is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// What tells how large companies are.
    pub basis: SizeBasis,
    /// How large they must be.
    pub rule: SizeRule,
}

/// What says which companies have enough employees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeBasis {
    /// Monthly headcounts of Urssaf.
    Headcount,
    /// The batch's own list of companies; for past months, headcounts.
    Filter,
    /// Bands of SIRENE as they are today, for deliveries of public files only. Past months are judged by them too, so that
    /// companies that failed and lost their band are missing (decision 0011).
    HeadcountBands,
}

impl SizeBasis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Headcount, Self::Filter, Self::HeadcountBands];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Headcount => "headcount",
            Self::Filter => "filter",
            Self::HeadcountBands => "headcount_bands",
        }
    }

    /// The basis of this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|basis| basis.code() == code)
    }
}

/// Why a company is out of the perimeter, in the order in which reasons are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exclusion {
    /// Never enough employees in the months looked at.
    Headcount,
    /// Legal category of public law.
    LegalCategory,
    /// Activity of the company: administration, education, finance, associations.
    Activity,
    /// No head office in SIRENE.
    NoHeadOffice,
    /// Head office abroad.
    HeadOfficeAbroad,
    /// Head office in no known commune.
    HeadOfficeNotLocated,
    /// Head office not in NAF rev. 2: outcome of the existing system, kept on purpose (decision 0006).
    NotNafRev2,
}

impl Exclusion {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Headcount => "headcount_too_low",
            Self::LegalCategory => "legal_category",
            Self::Activity => "activity",
            Self::NoHeadOffice => "no_head_office",
            Self::HeadOfficeAbroad => "head_office_abroad",
            Self::HeadOfficeNotLocated => "head_office_not_located",
            Self::NotNafRev2 => "not_naf_rev2",
        }
    }
}

/// What the perimeter of a batch needs to know of a company, gathered row by row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Enough employees in one of the months looked at.
    pub enough_employees: bool,
    excluded_category: bool,
    excluded_activity: bool,
    head_office: Option<HeadOffice>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HeadOffice {
    located: bool,
    abroad: bool,
    rev2: bool,
}

impl Facts {
    /// A company of which only the headcount is known yet.
    pub fn new(enough_employees: bool) -> Self {
        Self { enough_employees, ..Self::default() }
    }

    /// Takes the legal unit.
    pub fn legal_unit(&mut self, unit: &LegalUnit) {
        self.excluded_category = unit.legal_category.is_some_and(domain::LegalCategory::is_excluded);
        self.excluded_activity = unit.naf.is_some_and(domain::NafCode::is_excluded);
    }

    /// Takes an establishment. Of several head offices a located one counts.
    pub fn establishment(&mut self, row: &Establishment) {
        if row.head_office && self.head_office.is_none_or(|known| !known.located || !known.rev2) {
            let abroad = !row.foreign_country_code.is_empty() || !row.foreign_country.is_empty();
            self.head_office = Some(HeadOffice { located: row.department.is_some(), abroad, rev2: !row.naf_not_rev2 });
        }
    }

    /// Why the company is out; `None` when it is in.
    pub fn exclusion(&self) -> Option<Exclusion> {
        if self.enough_employees { self.exclusion_by_nature() } else { Some(Exclusion::Headcount) }
    }

    /// The same, whatever the headcount.
    pub fn exclusion_by_nature(&self) -> Option<Exclusion> {
        if self.excluded_category {
            return Some(Exclusion::LegalCategory);
        }
        if self.excluded_activity {
            return Some(Exclusion::Activity);
        }
        match self.head_office {
            None => Some(Exclusion::NoHeadOffice),
            Some(office) if !office.rev2 => Some(Exclusion::NotNafRev2),
            Some(office) if office.located => None,
            Some(office) if office.abroad => Some(Exclusion::HeadOfficeAbroad),
            Some(_) => Some(Exclusion::HeadOfficeNotLocated),
        }
    }

    /// Facts of a company whose rows are at hand; the headcount is left out.
    pub fn of(rows: &CompanyRows) -> Self {
        let mut facts = Self::default();
        if let Some(unit) = &rows.legal_unit {
            facts.legal_unit(unit);
        }
        rows.establishments.iter().for_each(|row| facts.establishment(row));
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of `domain/ingestion.md` §2.5 (three months, ten employees) and the default window.
    #[test]
    fn the_months_known_are_looked_at() {
        let month = |index: usize| Month::new(2025, 1).unwrap().plus(index as i32);
        let rule = SizeRule { headcount: 10, months: 3 };
        for (headcounts, expected) in [
            ([Some(10), Some(9), Some(4), Some(7), Some(5)], false),
            ([Some(10), Some(20), Some(4), Some(7), Some(5)], false),
            ([Some(10), Some(9), Some(12), Some(7), Some(5)], true),
            ([Some(10), Some(9), Some(12), None, None], true),
            ([Some(10), Some(9), Some(5), None, None], false),
            ([Some(10), Some(9), None, None, None], false),
        ] {
            // Blank cells of a company are not blank columns of the file: the last month known is that of all companies.
            let enough =
                (0..5).any(|index| headcounts[index].is_some_and(|headcount| headcount >= 10) && rule.counts(month(index), month(4)));
            assert_eq!(enough, expected, "{headcounts:?}");
        }
        let (rule, last) = (SizeRule::default(), month(40));
        assert!(rule.counts(last, last) && rule.counts(last.plus(-35), last));
        assert!(!rule.counts(last.plus(-36), last) && !rule.counts(last.plus(1), last));
    }

    #[test]
    fn the_first_reason_is_given() {
        let mut facts = Facts::default();
        assert_eq!(facts.exclusion(), Some(Exclusion::Headcount));
        facts.enough_employees = true;
        assert_eq!(facts.exclusion(), Some(Exclusion::NoHeadOffice));
        facts.head_office = Some(HeadOffice { located: false, abroad: true, rev2: true });
        assert_eq!(facts.exclusion(), Some(Exclusion::HeadOfficeAbroad));
        facts.head_office = Some(HeadOffice { located: true, abroad: false, rev2: false });
        assert_eq!(facts.exclusion(), Some(Exclusion::NotNafRev2));
        facts.head_office = Some(HeadOffice { located: true, abroad: false, rev2: true });
        assert_eq!(facts.exclusion(), None);
        facts.excluded_activity = true;
        assert_eq!(facts.exclusion(), Some(Exclusion::Activity));
    }
}
