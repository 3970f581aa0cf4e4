//! Social debts (`domain/ingestion.md` §2.8 and §3.3): each row is the balance of a debt from its accounting month on.

use std::collections::BTreeMap;

use domain::records::Debit;
use domain::{Cents, Siret};

use super::{BaseSeries, Series};
use crate::rows::CompanyRows;
use crate::window::Window;

/// Both parts of the debt at each month, of the rows given.
fn balances(debits: &[&Debit], window: Window) -> Vec<(Cents, Cents)> {
    // A debt is told by its establishment, period and number; of the rows of a month the highest history number counts,
    // and of several of those the greatest row, so that the order of a file does not matter.
    let mut sorted = debits.to_vec();
    sorted.sort_by_key(|row| (row.siret, row.period, &row.gap_number, row.accounting_month(), row.history_number, *row));
    let mut changes = vec![(Cents::default(), Cents::default()); window.len];
    for debt in sorted.chunk_by(|a, b| (a.siret, a.period, &a.gap_number) == (b.siret, b.period, &b.gap_number)) {
        let mut before = (Cents::default(), Cents::default());
        for month in debt.chunk_by(|a, b| a.accounting_month() == b.accounting_month()) {
            let Some(row) = month.last() else { continue };
            let Some(index) = window.clamp(row.accounting_month()) else { break };
            let change = &mut changes[index];
            change.0 += row.employee_part - before.0;
            change.1 += row.employer_part - before.1;
            before = (row.employee_part, row.employer_part);
        }
    }
    let (mut employee, mut employer) = (Cents::default(), Cents::default());
    for change in &mut changes {
        employee += change.0;
        employer += change.1;
        *change = (employee, employer);
    }
    changes
}

/// Both parts of the debt of each establishment at each month, cents.
pub fn by_establishment(debits: &[Debit], window: Window) -> BTreeMap<Siret, Vec<(Cents, Cents)>> {
    let mut by_siret: BTreeMap<Siret, Vec<&Debit>> = BTreeMap::new();
    for row in debits {
        by_siret.entry(row.siret).or_default().push(row);
    }
    by_siret.into_iter().map(|(siret, rows)| (siret, balances(&rows, window))).collect()
}

pub(super) fn fill(rows: &CompanyRows, base: &mut BaseSeries) {
    let all: Vec<&Debit> = rows.debits.iter().collect();
    let balances = balances(&all, base.window());
    base.set(Series::DebtEmployee, |month| balances[month].0.euros());
    base.set(Series::DebtEmployer, |month| balances[month].1.euros());
    base.set(Series::Debt, |month| (balances[month].0 + balances[month].1).euros());
    let (mut spell, mut last) = (0.0, None);
    for (month, (employee, employer)) in balances.iter().enumerate() {
        let in_debt = (*employee + *employer).0 > 0;
        spell = if in_debt { spell + 1.0 } else { 0.0 };
        last = if in_debt { Some(month) } else { last };
        base.get_mut(Series::DebtSpell)[month] = spell;
        base.get_mut(Series::DebtSince)[month] = last.map_or(f64::NAN, |last| (month - last) as f64);
    }
}
