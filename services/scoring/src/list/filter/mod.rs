//! Which entries a caller asks for: one small language, whether it came as a message ([`structured`]) or as a text ([`text`]).
//!
//! What is unknown is neither true nor false (Kleene's logic): an entry matches only when the filter is true of it, so that an
//! unknown headcount matches neither `headcount >= 50` nor its contrary.

pub mod structured;
pub mod text;

use std::cmp::Ordering;

use domain::{AlertLevel, DepartmentSet, NafSection, NaiveDate};
use service_kit::auth::Right;

use super::entry::Entry;
use super::facts::Facts;

/// A condition on an entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them hold; an empty one always does.
    All(Vec<Filter>),
    /// One of them holds.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A condition on one field.
    Test(Test),
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `=`
    Equal,
    /// `!=`
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Compare {
    /// Whether it holds for values in this order.
    pub const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Different => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

/// Fields that are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Rank in the country.
    Rank,
    /// Employees.
    Headcount,
    /// Euros.
    Turnover,
    /// Euros.
    SocialDebt,
    /// Hours.
    ShortTimeHours,
}

/// Fields that are true or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// Alerted for the first time.
    FirstAlert,
    /// At the high level for the first time.
    FirstHighAlert,
    /// A payment plan runs.
    PaymentPlan,
    /// The social debt is larger than three months before.
    SocialDebtRising,
    /// Short-time work was consumed over the last known twelve months.
    ShortTimeWork,
    /// The caller follows the company.
    Followed,
}

/// What a filter reads of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Its facts.
    pub facts: &'a Facts,
    /// Itself.
    pub entry: &'a Entry,
    /// Its folded name.
    pub name: &'a str,
    /// Whether the caller follows the company.
    pub followed: bool,
}

/// A condition on one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The head office is in one of these.
    HeadOffice(DepartmentSet),
    /// An establishment is in one of these.
    Establishment(DepartmentSet),
    /// The main activity is of this section.
    Section(NafSection),
    /// The code of the main activity begins so, dots aside.
    Naf(String),
    /// The legal category begins so.
    LegalCategory(String),
    /// The level compares so.
    Level(Compare, AlertLevel),
    /// The level of the list before compares so.
    PreviousLevel(Compare, AlertLevel),
    /// The number compares so.
    Number(Number, Compare, f64),
    /// The flag is this.
    Flag(Flag, bool),
    /// The day of creation compares so.
    Created(Compare, NaiveDate),
    /// The day of creation is unknown.
    CreatedUnknown,
    /// The folded name contains this folded text.
    Name(String),
    /// The SIREN, or the SIRET of the head office, begins so.
    Identifier(String),
}

impl Test {
    /// The right that the field needs, beyond that of the score.
    pub const fn right(&self) -> Option<Right> {
        match self {
            Self::Number(number, ..) => number.right(),
            Self::Flag(flag, _) => flag.right(),
            _ => None,
        }
    }

    /// Whether it holds; `None` when what it asks for is unknown.
    fn holds(&self, row: Row<'_>) -> Option<bool> {
        let Row { facts, entry, name, .. } = row;
        Some(match self {
            Self::HeadOffice(set) => set.contains(facts.department?),
            Self::Establishment(_) if facts.departments.is_empty() => return None,
            Self::Establishment(set) => set.intersects(facts.departments),
            Self::Section(section) => facts.section? == *section,
            Self::Naf(_) if entry.naf.is_empty() => return None,
            Self::Naf(prefix) => entry.naf.replace('.', "").starts_with(prefix),
            Self::LegalCategory(prefix) => entry.legal_category?.to_string().starts_with(prefix),
            Self::Level(compare, level) => compare.holds(facts.level.cmp(level)),
            Self::PreviousLevel(compare, level) => compare.holds(facts.previous_level?.cmp(level)),
            Self::Number(number, compare, wanted) => compare.holds(number.of(facts).partial_cmp(wanted)?),
            Self::Flag(flag, wanted) => flag.of(row)? == *wanted,
            Self::Created(compare, day) => compare.holds(facts.created?.cmp(day)),
            Self::CreatedUnknown => facts.created.is_none(),
            Self::Name(part) => name.contains(part),
            Self::Identifier(start) => {
                entry.siren.to_string().starts_with(start) || entry.siret.is_some_and(|siret| siret.to_string().starts_with(start))
            }
        })
    }
}

impl Number {
    /// The right that it needs, beyond that of the score.
    pub const fn right(self) -> Option<Right> {
        match self {
            Self::SocialDebt => Some(Right::Urssaf),
            Self::ShortTimeHours => Some(Right::Dgefp),
            Self::Rank | Self::Headcount | Self::Turnover => None,
        }
    }

    /// Its value, NaN when unknown.
    pub fn of(self, facts: &Facts) -> f64 {
        match self {
            Self::Rank => facts.rank.into(),
            Self::Headcount => facts.headcount,
            Self::Turnover => facts.turnover,
            Self::SocialDebt => facts.social_debt,
            Self::ShortTimeHours => facts.short_time_hours,
        }
    }
}

impl Flag {
    /// The right that it needs, beyond that of the score.
    pub const fn right(self) -> Option<Right> {
        match self {
            Self::PaymentPlan | Self::SocialDebtRising => Some(Right::Urssaf),
            Self::ShortTimeWork => Some(Right::Dgefp),
            Self::FirstAlert | Self::FirstHighAlert | Self::Followed => None,
        }
    }

    fn of(self, Row { facts, followed, .. }: Row<'_>) -> Option<bool> {
        match self {
            Self::Followed => Some(followed),
            Self::FirstAlert => Some(facts.first_alert),
            Self::FirstHighAlert => Some(facts.first_high_alert),
            Self::PaymentPlan => facts.payment_plan,
            Self::SocialDebtRising => facts.social_debt_rising,
            Self::ShortTimeWork => (!facts.short_time_hours.is_nan()).then_some(facts.short_time_hours > 0.0),
        }
    }
}

impl Filter {
    /// That every entry passes.
    pub const fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// Whether it is true of an entry.
    pub fn accepts(&self, row: Row<'_>) -> bool {
        self.holds(row) == Some(true)
    }

    fn holds(&self, row: Row<'_>) -> Option<bool> {
        match self {
            Self::Test(test) => test.holds(row),
            Self::Not(filter) => filter.holds(row).map(|holds| !holds),
            Self::All(filters) => joined(filters, false, |filter| filter.holds(row)),
            Self::Any(filters) => joined(filters, true, |filter| filter.holds(row)),
        }
    }

    /// The departments that it asks for, by whatever field.
    pub fn departments(&self) -> DepartmentSet {
        match self {
            Self::Test(Test::HeadOffice(set) | Test::Establishment(set)) => *set,
            // Who leaves some out does not ask for them.
            Self::Test(_) | Self::Not(_) => DepartmentSet::EMPTY,
            Self::All(filters) | Self::Any(filters) => filters.iter().fold(DepartmentSet::EMPTY, |mut all, filter| {
                filter.departments().iter().for_each(|department| all.insert(department));
                all
            }),
        }
    }

    /// The rights that its fields need.
    pub fn rights(&self) -> Vec<Right> {
        match self {
            Self::Test(test) => test.right().into_iter().collect(),
            Self::Not(filter) => filter.rights(),
            Self::All(filters) | Self::Any(filters) => filters.iter().flat_map(Self::rights).collect(),
        }
    }
}

/// And, or: `decisive` settles it whatever the others are; otherwise one that is unknown leaves it unknown.
fn joined(filters: &[Filter], decisive: bool, holds: impl Fn(&Filter) -> Option<bool>) -> Option<bool> {
    let mut known = true;
    for filter in filters {
        match holds(filter) {
            Some(found) if found == decisive => return Some(decisive),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(!decisive)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::tests::entry;
    use super::*;

    /// Whether a filter is true of an entry of the list 2511.
    pub(crate) fn accepts(filter: &Filter, entry: &Entry) -> bool {
        let (facts, name) = (Facts::of(entry, "2511".parse().unwrap()), super::super::facts::folded(&entry.name));
        filter.accepts(Row { facts: &facts, entry, name: &name, followed: false })
    }

    #[test]
    fn what_is_unknown_matches_neither_a_condition_nor_its_contrary() {
        let mut company = entry(1, "21", 0.5);
        let large = Filter::Test(Test::Number(Number::Headcount, Compare::AtLeast, 50.0));
        let not = |filter: &Filter| Filter::Not(Box::new(filter.clone()));
        assert!(!accepts(&large, &company) && !accepts(&not(&large), &company));
        let here = Filter::Test(Test::HeadOffice(company.departments));
        assert!(accepts(&Filter::Any(vec![large.clone(), here.clone()]), &company));
        assert!(!accepts(&Filter::All(vec![large.clone(), here.clone()]), &company));
        assert!(accepts(&not(&Filter::All(vec![large.clone(), not(&here)])), &company), "false settles it");
        company.indicators.headcount = Some(50.0);
        assert!(accepts(&large, &company) && !accepts(&not(&large), &company));
        company.naf = String::new();
        let works = Filter::Test(Test::Naf("43".to_owned()));
        assert!(!accepts(&works, &company) && !accepts(&not(&works), &company));
    }
}
