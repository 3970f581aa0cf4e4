//! `diane`: accounts filed with the courts, as Bureau van Dijk exported them (`domain/ingestion.md` §1.15).
//!
//! A line is a company; its header repeats each yearly variable with the suffix ` YYYY`. A year that has a closing date
//! gives a row. Of the 69 amounts and ratios we keep the main ones of §1.15, those that §3.12 needs to compute the ratios of
//! Banque de France again (margin, short-term financing, working capital, tax and social debt, financial costs), and the
//! ratios that `ratios_inpi_bce` publishes too, so that both sources can be compared: the columns below.
//!
//! A cell that cannot be read is left empty with a warning. What the existing system drops in silence is counted here: a
//! year that has values but no closing date is a warning.

use std::collections::BTreeMap;

use domain::Cents;
use domain::dates::parse_french;
use domain::records::CompanyAccounts;

use super::{Column, Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue, comma_number, integer};
use crate::layout::{Dialect, Layout};
use crate::report::{Reason, Warning};

columns! {
    required {
        SIREN = "Numéro Siren": "SIREN",
        PROCEEDING = "Procédure collective": "`Oui` or `Non`, at delivery",
        SUBSIDIARIES = "Nombre de filiales": "integer or empty, at delivery",
        GROUP_SIZE = "Taille de la Composition du Groupe": "integer or empty, at delivery",
    }
    // Once a year, with its suffix: a file where one is absent of every year is refused.
    optional {
        CLOSED_ON = "Date de clôture": "DD/MM/YYYY; a year without it gives no row",
        MONTHS = "Nombre de mois": "integer or empty",
        HEADCOUNT = "Effectif consolidé": "integer or empty",
        TAX_AND_SOCIAL_DEBT = "Dettes fiscales et sociales kEUR": "thousands of euros with a comma, or empty",
        BANK_OVERDRAFT = "Conc. banc. cour. & sold. cr. kEUR": "thousands of euros with a comma, or empty",
        TURNOVER = "Chiffre d'affaires net (H.T.) kEUR": "thousands of euros with a comma, or empty",
        ADDED_VALUE = "Valeur ajoutée kEUR": "thousands of euros with a comma, or empty",
        STAFF_COSTS = "Charges de personnel kEUR": "thousands of euros with a comma, or empty",
        EBITDA = "Excédent brut d'exploitation kEUR": "thousands of euros with a comma, or empty",
        OPERATING_INCOME = "Résultat d'expl. kEUR": "thousands of euros with a comma, or empty",
        FINANCIAL_INCOME = "Produits fin. kEUR": "thousands of euros with a comma, or empty",
        FINANCIAL_COSTS = "Charges fin. kEUR": "thousands of euros with a comma, or empty",
        INTEREST = "Intérêts et charges assimilées kEUR": "thousands of euros with a comma, or empty",
        PRETAX_INCOME = "Résultat courant avant impôts kEUR": "thousands of euros with a comma, or empty",
        EXCEPTIONAL_INCOME = "Produits except. kEUR": "thousands of euros with a comma, or empty",
        EXCEPTIONAL_COSTS = "Charges except. kEUR": "thousands of euros with a comma, or empty",
        NET_INCOME = "Bénéfice ou perte kEUR": "thousands of euros with a comma, or empty",
        AUTONOMY = "Autonomie fin. %": "number with a comma, or empty",
        DEBT_RATIO = "Taux d'endettement %": "number with a comma, or empty",
        LIQUIDITY = "Liquidité générale": "number with a comma, or empty",
        REPAYMENT_CAPACITY = "Capacité de remboursement": "number with a comma, or empty",
        CUSTOMER_DAYS = "Crédit clients jours": "number with a comma, or empty",
        SUPPLIER_DAYS = "Crédit fournisseurs jours": "number with a comma, or empty",
        WORKING_CAPITAL_DAYS = "Couv. du C.A. par le f.d.r. jours": "number with a comma, or empty",
    }
}

/// The columns that stand once a year.
const YEARLY: &[Column] = COLUMNS.optional;

/// Fewest fields of a line of a real export (§1.15).
const FEWEST: usize = 83;

/// Where a year has each yearly variable, in the order of their declaration.
type Positions = [Option<usize>; YEARLY.len()];

/// Parser of `diane`.
#[derive(Clone)]
pub struct CompanyAccountsParser {
    years: BTreeMap<i32, Positions>,
    too_narrow: bool,
}

impl RowParser for CompanyAccountsParser {
    type Row = CompanyAccounts;
    const DIALECT: Dialect = Dialect::SEMICOLON.lazy();
    const COLUMNS: Columns = COLUMNS;

    fn new(layout: &Layout) -> Result<Self, FileError> {
        let mut years: BTreeMap<i32, Positions> = BTreeMap::new();
        for (position, name) in layout.names().iter().enumerate() {
            if let Some((variable, year)) = yearly(name) {
                years.entry(year).or_insert([None; YEARLY.len()])[variable].get_or_insert(position);
            }
        }
        let absent = |variable: &usize| years.values().all(|positions| positions[*variable].is_none());
        let missing: Vec<String> = (0..YEARLY.len()).filter(absent).map(|variable| format!("{} YYYY", YEARLY[variable].name)).collect();
        if !missing.is_empty() {
            return Err(FileError::MissingColumns { missing, found: layout.names().to_vec() });
        }
        Ok(Self { years, too_narrow: layout.names().len() < FEWEST })
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<CompanyAccounts>) -> Result<(), Issue> {
        if self.too_narrow {
            return Err(Issue::Reject(usize::MAX, Reason::WrongFieldCount));
        }
        let siren = fields.strict_siren(SIREN)?;
        let in_proceeding = fields.bytes(PROCEEDING) == b"Oui";
        let subsidiaries = fields.lenient(fields.bytes(SUBSIDIARIES), whole);
        let group_size = fields.lenient(fields.bytes(GROUP_SIZE), whole);
        for (&year, positions) in &self.years {
            let mut cells = Year { fields: &mut *fields, positions };
            let Some(closed_on) = cells.read(CLOSED_ON, parse_french) else {
                cells.warn_if_undated();
                continue;
            };
            rows.push(CompanyAccounts {
                siren,
                year,
                closed_on,
                months: cells.read(MONTHS, whole),
                in_proceeding,
                subsidiaries,
                group_size,
                headcount: cells.read(HEADCOUNT, whole),
                tax_and_social_debt: cells.amount(TAX_AND_SOCIAL_DEBT),
                bank_overdraft: cells.amount(BANK_OVERDRAFT),
                turnover: cells.amount(TURNOVER),
                added_value: cells.amount(ADDED_VALUE),
                staff_costs: cells.amount(STAFF_COSTS),
                ebitda: cells.amount(EBITDA),
                operating_income: cells.amount(OPERATING_INCOME),
                financial_income: cells.amount(FINANCIAL_INCOME),
                financial_costs: cells.amount(FINANCIAL_COSTS),
                interest: cells.amount(INTEREST),
                pretax_income: cells.amount(PRETAX_INCOME),
                exceptional_income: cells.amount(EXCEPTIONAL_INCOME),
                exceptional_costs: cells.amount(EXCEPTIONAL_COSTS),
                net_income: cells.amount(NET_INCOME),
                financial_autonomy: cells.read(AUTONOMY, comma_number),
                debt_ratio: cells.read(DEBT_RATIO, comma_number),
                liquidity: cells.read(LIQUIDITY, comma_number),
                repayment_capacity: cells.read(REPAYMENT_CAPACITY, comma_number),
                customer_credit_days: cells.read(CUSTOMER_DAYS, comma_number),
                supplier_credit_days: cells.read(SUPPLIER_DAYS, comma_number),
                working_capital_days: cells.read(WORKING_CAPITAL_DAYS, comma_number),
            });
        }
        Ok(())
    }
}

/// The cells of a record about a year.
struct Year<'a, 'b> {
    fields: &'a mut Fields<'b>,
    positions: &'a Positions,
}

impl<'b> Year<'_, 'b> {
    fn bytes(&self, variable: usize) -> &'b [u8] {
        self.positions[variable].map_or(&[][..], |position| self.fields.at(position))
    }

    fn read<T>(&mut self, column: usize, parse: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        self.fields.lenient(self.bytes(column - COLUMNS.required.len()), parse)
    }

    fn amount(&mut self, column: usize) -> Option<Cents> {
        self.read(column, Cents::parse_thousands)
    }

    /// Notes a year without a closing date when it is not simply absent.
    fn warn_if_undated(&mut self) {
        if (0..YEARLY.len()).any(|variable| !self.bytes(variable).is_empty()) {
            self.fields.warn(Warning::UndatedYear);
        }
    }
}

/// The yearly variable and the year that a column is about. Runs of spaces count as one, as exports differ in them.
fn yearly(name: &str) -> Option<(usize, i32)> {
    let (variable, year) = name.rsplit_once(' ').filter(|(_, year)| year.len() == 4)?;
    let year = integer(year.as_bytes()).and_then(|year| i32::try_from(year).ok()).filter(|year| (1900..2100).contains(year))?;
    let variable = variable.split_whitespace().collect::<Vec<_>>().join(" ");
    YEARLY.iter().position(|known| known.name.eq_ignore_ascii_case(&variable)).map(|variable| (variable, year))
}

fn whole(text: &[u8]) -> Option<i32> {
    integer(text).and_then(|value| i32::try_from(value).ok())
}
