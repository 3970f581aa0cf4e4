//! Collective proceedings (procédures collectives): what a court opens over a failing company.

use serde::{Deserialize, Serialize};

/// The three proceedings, from the mildest to the most severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcolAction {
    /// Safeguard, before insolvency.
    Sauvegarde,
    /// Reorganisation under a court's control.
    Redressement,
    /// Liquidation.
    Liquidation,
}

impl ProcolAction {
    /// All of them, mildest first.
    pub const ALL: [Self; 3] = [Self::Sauvegarde, Self::Redressement, Self::Liquidation];

    /// The word of the files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sauvegarde => "sauvegarde",
            Self::Redressement => "redressement",
            Self::Liquidation => "liquidation",
        }
    }
}

/// The stage of a proceeding that an event announces. An unknown word is kept as [`ProcolStage::Other`] and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcolStage {
    /// The proceeding opens.
    Ouverture,
    /// A plan is adopted; it may last ten years.
    PlanContinuation,
    /// The proceeding ends, the company is in bonis again.
    FinProcedure,
    /// Accounts of the proceeding are settled. Announces no new state.
    SoldeProcedure,
    /// The proceeding is given up.
    AbandonProcedure,
    /// The proceeding is merged into another one.
    InclusionAutreProcedure,
    /// Liquidation closed because nothing is left.
    ClotureInsuffisanceActif,
    /// Another word, or none.
    Other,
}

impl ProcolStage {
    /// The stages with a word of their own.
    pub const NAMED: [Self; 7] = [
        Self::Ouverture,
        Self::PlanContinuation,
        Self::FinProcedure,
        Self::SoldeProcedure,
        Self::AbandonProcedure,
        Self::InclusionAutreProcedure,
        Self::ClotureInsuffisanceActif,
    ];

    /// The word of the files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ouverture => "ouverture",
            Self::PlanContinuation => "plan_continuation",
            Self::FinProcedure => "fin_procedure",
            Self::SoldeProcedure => "solde_procedure",
            Self::AbandonProcedure => "abandon_procedure",
            Self::InclusionAutreProcedure => "inclusion_autre_procedure",
            Self::ClotureInsuffisanceActif => "cloture_insuffisance_actif",
            Self::Other => "other",
        }
    }

    /// The stage of this lower-case word.
    pub fn from_name(word: &str) -> Self {
        Self::NAMED.into_iter().find(|stage| stage.name() == word).unwrap_or(Self::Other)
    }
}

/// The proceeding that a company is in at a date; a company in none is *in bonis*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcolState {
    /// Which proceeding.
    pub action: ProcolAction,
    /// Whether a continuation plan runs.
    pub plan: bool,
}

impl ProcolState {
    /// What agents read.
    pub const fn label_fr(self) -> &'static str {
        match (self.action, self.plan) {
            (ProcolAction::Liquidation, _) => "Liquidation judiciaire",
            (ProcolAction::Redressement, true) => "Plan de redressement",
            (ProcolAction::Redressement, false) => "Redressement judiciaire",
            (ProcolAction::Sauvegarde, true) => "Plan de sauvegarde",
            (ProcolAction::Sauvegarde, false) => "Sauvegarde",
        }
    }
}

/// Splits the label of a procol row, `Lib_actx_stdx`, into its proceeding and stage (`domain/ingestion.md` §1.11): the
/// first part between underscores that contains the word of a proceeding names it, the others joined again are the stage.
pub fn parse_label(label: &str) -> (Option<ProcolAction>, ProcolStage) {
    let lower = label.to_lowercase();
    let parts: Vec<&str> = lower.split('_').collect();
    let named = parts.iter().enumerate().find_map(|(position, part)| {
        ProcolAction::ALL.into_iter().find(|action| part.contains(action.name())).map(|action| (position, action))
    });
    let Some((position, action)) = named else { return (None, ProcolStage::Other) };
    let rest: Vec<&str> = parts.iter().enumerate().filter(|(i, _)| *i != position).map(|(_, part)| *part).collect();
    (Some(action), ProcolStage::from_name(&rest.join("_")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_in_both_orders_and_any_case() {
        use {ProcolAction as A, ProcolStage as S};
        for (label, expected) in [
            ("Solde_procedure_redressement", (Some(A::Redressement), S::SoldeProcedure)),
            ("ouverture_liquidation", (Some(A::Liquidation), S::Ouverture)),
            ("Liquidation_ouverture", (Some(A::Liquidation), S::Ouverture)),
            ("redressement_plan_continuation", (Some(A::Redressement), S::PlanContinuation)),
            ("liquidation_inclusion_autre_procedure", (Some(A::Liquidation), S::InclusionAutreProcedure)),
            ("abandon_procedure_sauvegarde", (Some(A::Sauvegarde), S::AbandonProcedure)),
            ("sauvegarde_fin_procedure", (Some(A::Sauvegarde), S::FinProcedure)),
            ("cloture_insuffisance_actif_liquidation", (Some(A::Liquidation), S::ClotureInsuffisanceActif)),
            ("Liquidation judiciaire_ouverture", (Some(A::Liquidation), S::Ouverture)),
            ("redressement_liquidation", (Some(A::Redressement), S::Other)),
            ("redressement", (Some(A::Redressement), S::Other)),
            ("something_else", (None, S::Other)),
        ] {
            assert_eq!(parse_label(label), expected, "{label}");
        }
    }

    #[test]
    fn severity_orders_the_actions() {
        assert!(ProcolAction::Liquidation > ProcolAction::Redressement && ProcolAction::Redressement > ProcolAction::Sauvegarde);
    }
}
