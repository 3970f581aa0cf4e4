//! Rows of the sources that are no longer delivered (`domain/ingestion.md` §1.15, §1.16, §1.18).

use chrono::NaiveDate;

use super::Text;
use crate::time_rules::ALWAYS_KNOWN;
use crate::{Cents, Siren};

/// `diane`: accounts of a year filed with the courts, as Bureau van Dijk computed them, 2018 to 2023.
#[derive(Debug, Clone, PartialEq)]
pub struct CompanyAccounts {
    /// Company.
    pub siren: Siren,
    /// Year of the accounts (exercice).
    pub year: i32,
    /// Closing date.
    pub closed_on: NaiveDate,
    /// Months that the accounts cover (nombre de mois).
    pub months: Option<i32>,
    /// Whether the company is in a collective proceeding *at delivery*: never a feature of a past month.
    pub in_proceeding: bool,
    /// Subsidiaries *at delivery* (nombre de filiales).
    pub subsidiaries: Option<i32>,
    /// Companies of the group *at delivery* (taille de la composition du groupe).
    pub group_size: Option<i32>,
    /// Employees (effectif consolidé).
    pub headcount: Option<i32>,
    /// Dettes fiscales et sociales.
    pub tax_and_social_debt: Option<Cents>,
    /// Concours bancaires courants et soldes créditeurs.
    pub bank_overdraft: Option<Cents>,
    /// Chiffre d'affaires net, hors taxes.
    pub turnover: Option<Cents>,
    /// Valeur ajoutée.
    pub added_value: Option<Cents>,
    /// Charges de personnel.
    pub staff_costs: Option<Cents>,
    /// EBE: excédent brut d'exploitation.
    pub ebitda: Option<Cents>,
    /// Résultat d'exploitation.
    pub operating_income: Option<Cents>,
    /// Produits financiers.
    pub financial_income: Option<Cents>,
    /// Charges financières.
    pub financial_costs: Option<Cents>,
    /// Intérêts et charges assimilées.
    pub interest: Option<Cents>,
    /// Résultat courant avant impôts.
    pub pretax_income: Option<Cents>,
    /// Produits exceptionnels.
    pub exceptional_income: Option<Cents>,
    /// Charges exceptionnelles.
    pub exceptional_costs: Option<Cents>,
    /// Bénéfice ou perte.
    pub net_income: Option<Cents>,
    /// Autonomie financière, %.
    pub financial_autonomy: Option<f64>,
    /// Taux d'endettement, %.
    pub debt_ratio: Option<f64>,
    /// Liquidité générale.
    pub liquidity: Option<f64>,
    /// Capacité de remboursement, years.
    pub repayment_capacity: Option<f64>,
    /// Crédit clients, days.
    pub customer_credit_days: Option<f64>,
    /// Crédit fournisseurs, days.
    pub supplier_credit_days: Option<f64>,
    /// Couverture du chiffre d'affaires par le fonds de roulement, days.
    pub working_capital_days: Option<f64>,
}
record!(CompanyAccounts, Diane, |row| row.siren, (Siren, i32): |row| (row.siren, row.year), |row, rules| rules.accounts(row.closed_on), |row| Some(row.closed_on));

/// `bdf`: ratios of Banque de France about accounts of a year, 2018 to 2023.
#[derive(Debug, Clone, PartialEq)]
pub struct BankRatios {
    /// Company.
    pub siren: Siren,
    /// Year of the accounts.
    pub year: i32,
    /// Closing date.
    pub closed_on: NaiveDate,
    /// Poids du fonds de roulement net global, %.
    pub working_capital_share: Option<f64>,
    /// Taux de marge, %.
    pub margin: Option<f64>,
    /// Délai fournisseurs, days.
    pub supplier_days: Option<f64>,
    /// Poids des dettes fiscales et sociales, %.
    pub tax_and_social_debt_share: Option<f64>,
    /// Poids du financement à court terme, %.
    pub short_term_financing_share: Option<f64>,
    /// Poids des frais financiers, %.
    pub financial_costs_share: Option<f64>,
}
record!(BankRatios, Bdf, |row| row.siren, (Siren, i32): |row| (row.siren, row.year), |row, rules| rules.accounts(row.closed_on), |row| Some(row.closed_on));

/// `ellisphere`: a subsidiary (filiale) and the head of its group *at delivery*; its file bears no date, 2021 to 2025.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupLink {
    /// Subsidiary.
    pub siren: Siren,
    /// Head of the group (tête de groupe); `None` abroad and for natural persons.
    pub group_siren: Option<Siren>,
    /// Code of the head at Ellisphere.
    pub group_code: Text,
    /// `P` for a natural person, `M` for a legal one.
    pub group_person: Text,
    /// Identifier of the head in the database of Ellisphere.
    pub group_reference: Text,
    /// Name of the head.
    pub group_name: Text,
    /// Country of the head.
    pub group_country: Text,
    /// Steps from the head to the subsidiary (niveau de détention).
    pub level: Option<i32>,
    /// Share held, %.
    pub share: Option<f64>,
    /// Band of the share: `A` above 50 %, `B` above 25 %, `C` below.
    pub share_band: Text,
    /// Code of the subsidiary at Ellisphere.
    pub code: Text,
    /// `P` for a natural person, `M` for a legal one.
    pub person: Text,
    /// Identifier of the subsidiary in the database of Ellisphere.
    pub reference: Text,
}
record!(GroupLink, Ellisphere, |row| row.siren, (Siren, Text): |row| (row.siren, row.group_code.clone()), |_, _| ALWAYS_KNOWN, |_| None);
