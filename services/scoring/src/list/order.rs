//! The order of entries that a caller asks for. Every order is total: ties, and unknown values at the end, are by rank.

use service_kit::auth::Right;
use service_kit::error::{ErrorCode, ServiceError};

use super::filter::Number;
use super::store::List;

/// What entries are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Key {
    /// Rank in the country.
    #[default]
    Rank,
    /// Folded name.
    Name,
    /// Employees.
    Headcount,
    /// Euros.
    Turnover,
    /// Euros.
    SocialDebt,
}

/// An order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Order {
    /// By what.
    pub key: Key,
    /// Largest first.
    pub descending: bool,
}

impl Key {
    const ALL: [Self; 5] = [Self::Rank, Self::Name, Self::Headcount, Self::Turnover, Self::SocialDebt];

    const fn name(self) -> &'static str {
        match self {
            Self::Rank => "rank",
            Self::Name => "name",
            Self::Headcount => "headcount",
            Self::Turnover => "turnover",
            Self::SocialDebt => "social_debt",
        }
    }

    const fn number(self) -> Option<Number> {
        match self {
            Self::Rank | Self::Name => None,
            Self::Headcount => Some(Number::Headcount),
            Self::Turnover => Some(Number::Turnover),
            Self::SocialDebt => Some(Number::SocialDebt),
        }
    }
}

impl Order {
    /// How many there are: [`Order::slot`] is below.
    pub const COUNT: usize = 10;

    /// Reads `headcount desc`; empty means by rank.
    pub fn parse(text: &str) -> Result<Self, ServiceError> {
        let mut words = text.split_whitespace();
        let Some(name) = words.next() else { return Ok(Self::default()) };
        let key = Key::ALL.into_iter().find(|key| key.name() == name);
        let descending = match (words.next(), words.next()) {
            (None, _) | (Some("asc"), None) => Some(false),
            (Some("desc"), None) => Some(true),
            _ => None,
        };
        key.zip(descending).map(|(key, descending)| Self { key, descending }).ok_or_else(|| {
            let names: Vec<&str> = Key::ALL.iter().map(|key| key.name()).collect();
            let message = format!("order_by: '{text}' is no order; there are {}, each with ` desc` for the other way", names.join(", "));
            ServiceError::new(ErrorCode::InvalidArgument, message).with("field", "order_by")
        })
    }

    /// The right that its key needs, beyond that of the score.
    pub fn right(self) -> Option<Right> {
        self.key.number().and_then(Number::right)
    }

    /// Its number among all orders.
    pub const fn slot(self) -> usize {
        self.key as usize * 2 + self.descending as usize
    }

    /// Positions of the entries of a list in this order.
    pub fn sorted(self, list: &List) -> Vec<u32> {
        let mut positions: Vec<u32> = (0..list.entries.len() as u32).collect();
        let by_rank = |position: u32| list.facts[position as usize].rank;
        match (self.key.number(), self.key) {
            (Some(number), _) => {
                let value = |position: &u32| number.of(&list.facts[*position as usize]);
                positions.sort_by(|a, b| {
                    let (x, y) = (value(a), value(b));
                    let order = if self.descending { y.total_cmp(&x) } else { x.total_cmp(&y) };
                    x.is_nan().cmp(&y.is_nan()).then(order).then(by_rank(*a).cmp(&by_rank(*b)))
                });
            }
            (None, Key::Name) => positions.sort_by(|a, b| {
                let order = list.names[*a as usize].cmp(&list.names[*b as usize]);
                let order = if self.descending { order.reverse() } else { order };
                order.then(by_rank(*a).cmp(&by_rank(*b)))
            }),
            (None, _) if self.descending => positions.reverse(),
            (None, _) => {}
        }
        positions
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, info};
    use super::*;

    #[test]
    fn ties_and_unknown_values_are_by_rank() {
        let company = |number: u32, name: &str, headcount: Option<f64>| {
            let mut entry = entry(number, "21", 1.0 / f64::from(number));
            entry.name = name.into();
            entry.indicators.headcount = headcount;
            entry
        };
        let mut entries = vec![
            company(1, "b", None),
            company(2, "É", Some(3.0)),
            company(3, "a", Some(-0.0)),
            company(4, "e", Some(3.0)),
            company(5, "c", None),
        ];
        super::super::ranking::rank(&mut entries);
        let list = List::new(info(), entries);
        let sorted = |text: &str| Order::parse(text).unwrap().sorted(&list).iter().map(|at| at + 1).collect::<Vec<_>>();
        assert_eq!(sorted(""), [1, 2, 3, 4, 5]);
        assert_eq!(sorted("rank desc"), [5, 4, 3, 2, 1]);
        assert_eq!(sorted("headcount"), [3, 2, 4, 1, 5]);
        assert_eq!(sorted("headcount desc"), [2, 4, 3, 1, 5]);
        assert_eq!(sorted("name asc"), [3, 1, 5, 2, 4]);
        assert_eq!(sorted("name desc"), [2, 4, 5, 1, 3]);
        let slots: std::collections::BTreeSet<usize> =
            Key::ALL.iter().flat_map(|key| [false, true].map(|descending| Order { key: *key, descending }.slot())).collect();
        assert_eq!(slots, (0..Order::COUNT).collect());
        for bad in ["probability", "rank down", "rank desc desc", "rank, name"] {
            assert!(Order::parse(bad).is_err(), "{bad}");
        }
    }
}
