//! `ratios_inpi_bce`: published accounts (columns of the open data file; amounts in euros).

use domain::Cents;
use domain::dates::parse_iso;
use domain::records::Accounts;

use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};

columns! {
    required {
        SIREN = "siren": "SIREN",
        CLOSED_ON = "date_cloture_exercice": "YYYY-MM-DD",
        TURNOVER = "chiffre_d_affaires": "euros or empty",
        GROSS_MARGIN = "marge_brute": "euros or empty",
        EBITDA = "ebe": "euros or empty",
        EBIT = "ebit": "euros or empty",
        NET_INCOME = "resultat_net": "euros or empty",
        DEBT_RATIO = "taux_d_endettement": "number or empty",
        LIQUIDITY = "ratio_de_liquidite": "number or empty",
        ASSET_WEAR = "ratio_de_vetuste": "number or empty",
        AUTONOMY = "autonomie_financiere": "number or empty",
        WORKING_CAPITAL_SHARE = "poids_bfr_exploitation_sur_ca": "number or empty",
        INTEREST_COVERAGE = "couverture_des_interets": "number or empty",
        CASH_FLOW_SHARE = "caf_sur_ca": "number or empty",
        REPAYMENT_CAPACITY = "capacite_de_remboursement": "number or empty",
        EBITDA_MARGIN = "marge_ebe": "number or empty",
        PRETAX_SHARE = "resultat_courant_avant_impots_sur_ca": "number or empty",
        WORKING_CAPITAL_DAYS = "poids_bfr_exploitation_sur_ca_jours": "number or empty",
        INVENTORY_DAYS = "rotation_des_stocks_jours": "number or empty",
        CUSTOMER_DAYS = "credit_clients_jours": "number or empty",
        SUPPLIER_DAYS = "credit_fournisseurs_jours": "number or empty",
    }
    optional {
        KIND = "type_bilan": "text",
        CONFIDENTIALITY = "confidentialite": "`Public` when the accounts may be shown",
    }
}

/// Parser of `ratios_inpi_bce`.
#[derive(Clone)]
pub struct AccountsParser;

impl RowParser for AccountsParser {
    type Row = Accounts;
    const DIALECT: Dialect = Dialect::SEMICOLON;
    const COLUMNS: Columns = COLUMNS;

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
