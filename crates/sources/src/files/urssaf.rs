//! The files of Urssaf's accounts: `cotisation`, `debit`, `delai`, `ccsf`, `procol` (`domain/ingestion.md` §1.5 to §1.11).

use domain::NaiveDate;
use domain::ProcolStage;
use domain::dates::{parse_french, parse_iso, parse_sas};
use domain::procol::parse_label;
use domain::records::{CcsfDecision, Contribution, Debit, PaymentPlan, ProcolEvent};

use super::{Columns, RowParser};
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};
use crate::report::{SkipReason, Warning};

fn french_or_iso(text: &[u8]) -> Option<NaiveDate> {
    parse_french(text).or_else(|| parse_iso(text))
}

/// A parser without state: its columns, and how a record becomes a row.
macro_rules! parser {
    ($(#[doc = $doc:literal])* $parser:ident: $row:ty, $dialect:expr, $by_account:expr, $columns:tt, |$fields:ident| $make:expr) => {
        $(#[doc = $doc])*
        #[derive(Clone)]
        pub struct $parser;

        const _: () = {
            columns! $columns

            impl RowParser for $parser {
                type Row = $row;
                const DIALECT: Dialect = $dialect;
                const COLUMNS: Columns = COLUMNS;
                const SIRET_OR_ACCOUNT: Option<usize> = $by_account;

                fn new(_: &Layout) -> Result<Self, FileError> {
                    Ok(Self)
                }

                fn row(&mut self, $fields: &mut Fields<'_>, rows: &mut Vec<$row>) -> Result<(), Issue> {
                    rows.push($make);
                    Ok(())
                }
            }
        };
    };
}

parser! {
    /// Parser of `cotisation`.
    ContributionParser: Contribution, Dialect::SEMICOLON.lazy(), Some(SIRET),
    {
        required { ACCOUNT = "Compte": "text", PERIOD = "periode": "Urssaf period", PAID = "enc_direct": "euros or empty", DUE = "cotis_due": "euros, possibly negative" }
        optional { SIRET = "Siret": "SIRET" }
    },
    |fields| {
        let siret = fields.siret_if_named(SIRET)?;
        let period = fields.period(PERIOD)?;
        Contribution {
            siret: fields.establishment(siret, ACCOUNT, period.start().first_day())?,
            account: fields.text(ACCOUNT),
            period,
            paid: fields.optional_euros(PAID)?,
            due: fields.euros(DUE)?,
        }
    }
}

parser! {
    /// Parser of `debit`.
    DebitParser: Debit, Dialect::SEMICOLON, Some(SIRET),
    {
        required {
            ACCOUNT = "num_cpte": "text",
            GAP = "Num_Ecn": "text",
            HISTORY = "Num_Hist_Ecn": "whole number",
            TREATED_ON = "Dt_trt_ecn": "Urssaf date (Y)YYMMDD",
            EMPLOYEE = "Mt_PO": "cents",
            EMPLOYER = "Mt_PP": "cents",
            STATE = "Etat_cpte": "whole number or empty",
            PROCOL = "Cd_pro_col": "text",
            PERIOD = "Periode": "Urssaf period",
            OPERATION = "Cd_op_ecn": "text",
            REASON = "Motif_ecn": "text",
            APPEAL = "Recours_en_cours": "true or false",
        }
        optional { SIRET = "Siret": "SIRET" }
    },
    |fields| {
        let siret = fields.siret_if_named(SIRET)?;
        let period = fields.period(PERIOD)?;
        Debit {
        siret: fields.establishment(siret, ACCOUNT, period.start().first_day())?,
        account: fields.text(ACCOUNT),
        period,
        gap_number: fields.text(GAP),
        history_number: fields.int(HISTORY)?,
        treated_on: fields.urssaf_date(TREATED_ON)?,
        employee_part: fields.cents(EMPLOYEE)?,
        employer_part: fields.cents(EMPLOYER)?,
        account_state: fields.optional_int(STATE)?,
        procol_code: fields.text(PROCOL),
        operation_code: fields.text(OPERATION),
        reason_code: fields.text(REASON),
        appeal: fields.boolean(APPEAL)?,
        }
    }
}

parser! {
    /// Parser of `delai`.
    PaymentPlanParser: PaymentPlan, Dialect::SEMICOLON, Some(SIRET),
    {
        required {
            ACCOUNT = "Numero_compte_externe": "text",
            CASE = "Numero_structure": "text",
            CREATED = "Date_creation": "DD/MM/YYYY; YYYY-MM-DD in 2018",
            DUE = "Date_echeance": "DD/MM/YYYY; YYYY-MM-DD in 2018",
            DURATION = "Duree_delai": "whole number; unreadable is left empty",
            DEBTOR = "Denomination_premiere_ligne": "text",
            SIX_MONTHS = "Indic_6M": "text",
            YEAR = "Annee_creation": "whole number or empty",
            AMOUNT = "Montant_global_echeancier": "euros",
            STAGE = "Code_externe_stade": "text",
            ACTION = "Code_externe_action": "text",
        }
        optional { SIRET = "Siret": "SIRET" }
    },
    |fields| {
        // This file alone holds `@` and truncated identifiers (§0.3).
        let bytes = fields.bytes(SIRET);
        if bytes == b"@" || (bytes.len() == 8 && bytes.iter().all(u8::is_ascii_digit)) {
            return Err(Issue::Skip(SkipReason::JunkIdentifier));
        }
        let siret = fields.siret_if_named(SIRET)?;
        // In 2018, when files had no SIRET yet, dates were ISO.
        let day = if fields.has(SIRET) { parse_french } else { french_or_iso };
        let created = fields.date(CREATED, day)?;
        PaymentPlan {
        siret: fields.establishment(siret, ACCOUNT, created)?,
        account: fields.text(ACCOUNT),
        case_number: fields.text(CASE),
        created,
        due: fields.date(DUE, day)?,
        duration_days: {
            let days = fields.optional_int(DURATION).ok().flatten();
            if days.is_none() {
                fields.warn(Warning::UnreadableOptional);
            }
            days
        },
        debtor: fields.text(DEBTOR),
        six_months: fields.text(SIX_MONTHS),
        year: fields.optional_int(YEAR)?,
        amount: fields.euros(AMOUNT)?,
        stage: fields.text(STAGE),
        action: fields.text(ACTION),
        }
    }
}

parser! {
    /// Parser of `ccsf`.
    CcsfParser: CcsfDecision, Dialect::SEMICOLON, Some(SIRET),
    {
        required { ACCOUNT = "Compte": "text", TREATED_ON = "Date_de_traitement": "Urssaf date (Y)YYMMDD", STAGE = "Code_externe_stade": "text", ACTION = "Code_externe_action": "text" }
        optional { SIRET = "Siret": "SIRET" }
    },
    |fields| {
        let siret = fields.siret_if_named(SIRET)?;
        let treated_on = fields.urssaf_date(TREATED_ON)?;
        CcsfDecision {
        siret: fields.establishment(siret, ACCOUNT, treated_on)?,
        account: fields.text(ACCOUNT),
        treated_on,
        stage: fields.text(STAGE),
        action: fields.text(ACTION),
        }
    }
}

parser! {
    /// Parser of `procol`.
    ProcolParser: ProcolEvent, Dialect::SEMICOLON, None,
    {
        required { SIRET = "Siret": "SIRET", EFFECTIVE = "Dt_effet": "DDMMMYYYY, English months", LABEL = "Lib_actx_stdx": "proceeding and stage, joined by underscores" }
        optional {}
    },
    |fields| {
        let label = fields.text(LABEL);
        let (action, stage) = parse_label(&label);
        if action.is_none() || stage == ProcolStage::Other {
            fields.warn(Warning::UnknownLabel);
        }
        let siret = fields.siret(SIRET)?;
        ProcolEvent { siren: siret.siren(), siret: Some(siret), effective: fields.date(EFFECTIVE, parse_sas)?, action, stage, label }
    }
}
