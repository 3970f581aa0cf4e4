//! `ratios_inpi_bce`: published accounts (columns of the open data file; amounts in euros).

use domain::Cents;
use domain::dates::parse_iso;
use domain::records::Accounts;

use super::RowParser;
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};

columns! {
    required {
        SIREN = "siren",
        CLOSED_ON = "date_cloture_exercice",
        TURNOVER = "chiffre_d_affaires",
        GROSS_MARGIN = "marge_brute",
        EBITDA = "ebe",
        EBIT = "ebit",
        NET_INCOME = "resultat_net",
        DEBT_RATIO = "taux_d_endettement",
        LIQUIDITY = "ratio_de_liquidite",
        ASSET_WEAR = "ratio_de_vetuste",
        AUTONOMY = "autonomie_financiere",
        WORKING_CAPITAL_SHARE = "poids_bfr_exploitation_sur_ca",
        INTEREST_COVERAGE = "couverture_des_interets",
        CASH_FLOW_SHARE = "caf_sur_ca",
        REPAYMENT_CAPACITY = "capacite_de_remboursement",
        EBITDA_MARGIN = "marge_ebe",
        PRETAX_SHARE = "resultat_courant_avant_impots_sur_ca",
        WORKING_CAPITAL_DAYS = "poids_bfr_exploitation_sur_ca_jours",
        INVENTORY_DAYS = "rotation_des_stocks_jours",
        CUSTOMER_DAYS = "credit_clients_jours",
        SUPPLIER_DAYS = "credit_fournisseurs_jours",
    }
    optional {
        KIND = "type_bilan",
        CONFIDENTIALITY = "confidentialite",
    }
}

/// Parser of `ratios_inpi_bce`.
pub struct AccountsParser;

impl RowParser for AccountsParser {
    type Row = Accounts;
    const DIALECT: Dialect = Dialect::SEMICOLON;
    const REQUIRED: &'static [&'static str] = REQUIRED;
    const OPTIONAL: &'static [&'static str] = OPTIONAL;

    fn new(_: &Layout) -> Result<Self, FileError> {
        Ok(Self)
    }

    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<Accounts>) -> Result<(), Issue> {
        let euros = |fields: &Fields<'_>, column| Ok(fields.optional_float(column)?.and_then(Cents::from_euros));
        rows.push(Accounts {
            siren: fields.strict_siren(SIREN)?,
            closed_on: fields.date(CLOSED_ON, parse_iso)?,
            turnover: euros(fields, TURNOVER)?,
            gross_margin: euros(fields, GROSS_MARGIN)?,
            ebitda: euros(fields, EBITDA)?,
            ebit: euros(fields, EBIT)?,
            net_income: euros(fields, NET_INCOME)?,
            debt_ratio: fields.optional_float(DEBT_RATIO)?,
            liquidity: fields.optional_float(LIQUIDITY)?,
            asset_wear: fields.optional_float(ASSET_WEAR)?,
            financial_autonomy: fields.optional_float(AUTONOMY)?,
            working_capital_share: fields.optional_float(WORKING_CAPITAL_SHARE)?,
            interest_coverage: fields.optional_float(INTEREST_COVERAGE)?,
            cash_flow_share: fields.optional_float(CASH_FLOW_SHARE)?,
            repayment_capacity: fields.optional_float(REPAYMENT_CAPACITY)?,
            ebitda_margin: fields.optional_float(EBITDA_MARGIN)?,
            pretax_income_share: fields.optional_float(PRETAX_SHARE)?,
            working_capital_days: fields.optional_float(WORKING_CAPITAL_DAYS)?,
            inventory_days: fields.optional_float(INVENTORY_DAYS)?,
            customer_credit_days: fields.optional_float(CUSTOMER_DAYS)?,
            supplier_credit_days: fields.optional_float(SUPPLIER_DAYS)?,
            kind: fields.text(KIND),
            public: fields.bytes(CONFIDENTIALITY).eq_ignore_ascii_case(b"public"),
        });
        Ok(())
    }
}
