//! Social debts (`domain/ingestion.md` §2.8 and §3.3): each row is the balance of a debt from its accounting month on.

use std::collections::BTreeMap;

use domain::records::Debit;
use domain::{Cents, Month, Siret};

use super::{BaseSeries, Series, ratio};
use crate::rows::CompanyRows;
use crate::window::Window;

/// Months after the end of a period from which a debt for it is old.
const OLD: i32 = 6;

/// The successive balances of each debt, debt after debt.
///
/// A debt is told by its establishment, period and number; of the rows of an accounting month the highest history number
/// counts, and of several of those the greatest row, so that the order of a file does not matter.
fn balances<'a>(debits: impl Iterator<Item = &'a Debit>) -> Vec<&'a Debit> {
    let mut sorted: Vec<&Debit> = debits.collect();
    sorted.sort_by_key(|row| (row.siret, row.period, &row.gap_number, row.accounting_month(), row.history_number, *row));
    // The last of a month stays.
    sorted.reverse();
    sorted.dedup_by(|row, kept| same_debt(row, kept) && row.accounting_month() == kept.accounting_month());
    sorted.reverse();
    sorted
}

fn same_debt(a: &Debit, b: &Debit) -> bool {
    (a.siret, a.period, &a.gap_number) == (b.siret, b.period, &b.gap_number)
}

/// What is owed at the end of a month, and what changed in it.
#[derive(Debug, Clone, Copy, Default)]
struct Owed {
    employee: Cents,
    employer: Cents,
    /// For periods that ended some time ago.
    old: Cents,
    /// Added to debts in the month.
    appeared: Cents,
    /// Paid, cancelled or written off in the month.
    cleared: Cents,
    /// Debts with something owed.
    open: u32,
    /// End of the oldest period owed.
    oldest: Option<Month>,
    /// The largest debt, and the code of its motive.
    largest: Option<(Cents, u8)>,
}

impl Owed {
    fn both(&self) -> Cents {
        self.employee + self.employer
    }

    /// Adds a balance that stands at the end of `month`.
    fn add(&mut self, row: &Debit, month: Month) {
        let balance = row.employee_part + row.employer_part;
        self.employee += row.employee_part;
        self.employer += row.employer_part;
        if balance.0 <= 0 {
            return;
        }
        let end = row.period.last();
        if month.since(end) >= OLD {
            self.old += balance;
        }
        self.open += 1;
        self.oldest = Some(self.oldest.map_or(end, |oldest| oldest.min(end)));
        if let Ok(motive) = row.reason_code.parse::<u8>() {
            self.largest = self.largest.max(Some((balance, motive)));
        }
    }
}

/// What is owed at each month of a window. Balances before it count from its first month.
fn owed(balances: &[&Debit], window: Window) -> Vec<Owed> {
    let mut months = vec![Owed::default(); window.len];
    for debt in balances.chunk_by(|a, b| same_debt(a, b)) {
        let mut before = Cents::default();
        for (position, row) in debt.iter().enumerate() {
            let Some(from) = window.clamp(row.accounting_month()) else { break };
            let until = debt.get(position + 1).and_then(|next| window.clamp(next.accounting_month())).unwrap_or(window.len);
            for (offset, month) in months[from..until].iter_mut().enumerate() {
                month.add(row, window.month(from + offset));
            }
            let change = row.employee_part + row.employer_part - before;
            before += change;
            if window.index(row.accounting_month()).is_some() {
                if change.0 > 0 {
                    months[from].appeared += change;
                } else {
                    months[from].cleared += -change;
                }
            }
        }
    }
    months
}

/// Both parts of the debt of each establishment at each month, cents.
pub fn by_establishment(debits: &[Debit], window: Window) -> BTreeMap<Siret, Vec<(Cents, Cents)>> {
    let balances = balances(debits.iter());
    let establishments = balances.chunk_by(|a, b| a.siret == b.siret);
    establishments.map(|rows| (rows[0].siret, owed(rows, window).iter().map(|owed| (owed.employee, owed.employer)).collect())).collect()
}

pub(super) fn fill(rows: &CompanyRows, base: &mut BaseSeries) {
    let balances = balances(rows.debits.iter());
    // From the first debt on, so that what counts months does not depend on where the window begins.
    let window = base.window();
    let earlier = balances.iter().map(|row| window.first.since(row.accounting_month())).max().unwrap_or(0).max(0) as usize;
    let (mut spell, mut last) = (0.0, None);
    for (position, owed) in owed(&balances, window.extended(earlier)).iter().enumerate() {
        let in_debt = owed.both().0 > 0;
        spell = if in_debt { spell + 1.0 } else { 0.0 };
        last = if in_debt { Some(position) } else { last };
        let Some(month) = position.checked_sub(earlier) else { continue };
        let (debt, today) = (owed.both().euros(), window.month(month));
        for (series, value) in [
            (Series::DebtEmployee, owed.employee.euros()),
            (Series::DebtEmployer, owed.employer.euros()),
            (Series::Debt, debt),
            (Series::DebtSpell, spell),
            (Series::DebtSince, last.map_or(f64::NAN, |last| (position - last) as f64)),
            (Series::DebtEmployeeShare, ratio(owed.employee.euros(), debt)),
            (Series::DebtsOpen, owed.open.into()),
            (Series::DebtOldest, owed.oldest.map_or(f64::NAN, |oldest| today.since(oldest).into())),
            (Series::DebtOldShare, ratio(owed.old.euros(), debt)),
            (Series::DebtAppeared, owed.appeared.euros()),
            (Series::DebtCleared, owed.cleared.euros()),
            (Series::DebtMotive, owed.largest.map_or(f64::NAN, |(_, motive)| motive.into())),
        ] {
            base.get_mut(series)[month] = value;
        }
    }
}
