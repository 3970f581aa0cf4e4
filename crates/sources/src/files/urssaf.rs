//! The files of Urssaf's accounts: `cotisation`, `debit`, `delai`, `ccsf`, `procol` (`domain/ingestion.md` §1.5 to §1.11).

use domain::ProcolStage;
use domain::dates::{parse_french, parse_sas};
use domain::procol::parse_label;
use domain::records::{CcsfDecision, Contribution, Debit, PaymentPlan, ProcolEvent};

use super::RowParser;
use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};
use crate::report::{SkipReason, Warning};

/// A parser without state: its columns, and how a record becomes a row.
macro_rules! parser {
    ($(#[doc = $doc:literal])* $parser:ident: $row:ty, $dialect:expr, $columns:tt, |$fields:ident| $make:expr) => {
        $(#[doc = $doc])*
        pub struct $parser;

        const _: () = {
            columns! $columns

            impl RowParser for $parser {
                type Row = $row;
                const DIALECT: Dialect = $dialect;
                const REQUIRED: &'static [&'static str] = REQUIRED;
                const OPTIONAL: &'static [&'static str] = OPTIONAL;

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
    ContributionParser: Contribution, Dialect::SEMICOLON.lazy(),
    {
        required { SIRET = "Siret", ACCOUNT = "Compte", PERIOD = "periode", PAID = "enc_direct", DUE = "cotis_due" }
        optional {}
    },
    |fields| Contribution {
        siret: fields.siret(SIRET)?,
        account: fields.text(ACCOUNT),
        period: fields.period(PERIOD)?,
        paid: fields.optional_euros(PAID)?,
        due: fields.euros(DUE)?,
    }
}

parser! {
    /// Parser of `debit`.
    DebitParser: Debit, Dialect::SEMICOLON,
    {
        required {
            SIRET = "Siret",
            ACCOUNT = "num_cpte",
            GAP = "Num_Ecn",
            HISTORY = "Num_Hist_Ecn",
            TREATED_ON = "Dt_trt_ecn",
            EMPLOYEE = "Mt_PO",
            EMPLOYER = "Mt_PP",
            STATE = "Etat_cpte",
            PROCOL = "Cd_pro_col",
            PERIOD = "Periode",
            OPERATION = "Cd_op_ecn",
            REASON = "Motif_ecn",
            APPEAL = "Recours_en_cours",
        }
        optional {}
    },
    |fields| Debit {
        siret: fields.siret(SIRET)?,
        account: fields.text(ACCOUNT),
        period: fields.period(PERIOD)?,
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

parser! {
    /// Parser of `delai`.
    PaymentPlanParser: PaymentPlan, Dialect::SEMICOLON,
    {
        required {
            SIRET = "Siret",
            ACCOUNT = "Numero_compte_externe",
            CASE = "Numero_structure",
            CREATED = "Date_creation",
            DUE = "Date_echeance",
            DURATION = "Duree_delai",
            DEBTOR = "Denomination_premiere_ligne",
            SIX_MONTHS = "Indic_6M",
            YEAR = "Annee_creation",
            AMOUNT = "Montant_global_echeancier",
            STAGE = "Code_externe_stade",
            ACTION = "Code_externe_action",
        }
        optional {}
    },
    |fields| PaymentPlan {
        siret: {
            // This file alone holds `@` and truncated identifiers (§0.3).
            let bytes = fields.bytes(SIRET);
            if bytes == b"@" || (bytes.len() == 8 && bytes.iter().all(u8::is_ascii_digit)) {
                return Err(Issue::Skip(SkipReason::JunkIdentifier));
            }
            fields.siret(SIRET)?
        },
        account: fields.text(ACCOUNT),
        case_number: fields.text(CASE),
        created: fields.date(CREATED, parse_french)?,
        due: fields.date(DUE, parse_french)?,
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

parser! {
    /// Parser of `ccsf`.
    CcsfParser: CcsfDecision, Dialect::SEMICOLON,
    {
        required { SIRET = "Siret", ACCOUNT = "Compte", TREATED_ON = "Date_de_traitement", STAGE = "Code_externe_stade", ACTION = "Code_externe_action" }
        optional {}
    },
    |fields| CcsfDecision {
        siret: fields.siret(SIRET)?,
        account: fields.text(ACCOUNT),
        treated_on: fields.urssaf_date(TREATED_ON)?,
        stage: fields.text(STAGE),
        action: fields.text(ACTION),
    }
}

parser! {
    /// Parser of `procol`.
    ProcolParser: ProcolEvent, Dialect::SEMICOLON,
    {
        required { SIRET = "Siret", EFFECTIVE = "Dt_effet", LABEL = "Lib_actx_stdx" }
        optional {}
    },
    |fields| {
        let label = fields.text(LABEL);
        let (action, stage) = parse_label(&label);
        if action.is_none() || stage == ProcolStage::Other {
            fields.warn(Warning::UnknownLabel);
        }
        ProcolEvent { siret: fields.siret(SIRET)?, effective: fields.date(EFFECTIVE, parse_sas)?, action, stage, label }
    }
}
