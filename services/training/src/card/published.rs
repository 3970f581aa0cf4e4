//! Figures that were published of the existing system's models, to stand beside ours (`domain/model.md` §6.3 and §6.4).

use crate::evaluate::Figure;
use crate::split::Protocol;

/// A published evaluation.
pub struct Published {
    /// What it is called.
    pub name: &'static str,
    /// Our protocol that follows its rules.
    pub protocol: Protocol,
    /// Its figures.
    pub figures: &'static [(Figure, f64)],
}

/// Those that a protocol of ours matches.
pub static PUBLISHED: [Published; 2] = [
    Published {
        name: "September 2021, logistic regression, time hold-out of other companies, without those in a proceeding",
        protocol: Protocol::Disjoint,
        figures: &[
            (Figure::Auc, 0.80),
            (Figure::AveragePrecision, 0.15),
            (Figure::FHalf, 0.25),
            (Figure::FTwo, 0.36),
            (Figure::PrecisionHigh, 0.25),
            (Figure::RecallHigh, 0.24),
            (Figure::PrecisionModerate, 0.16),
            (Figure::RecallModerate, 0.51),
            (Figure::Prevalence, 0.018),
        ],
    },
    Published {
        name: "March 2024, random forest, all periods mixed, companies in a proceeding counted",
        protocol: Protocol::Lenient,
        figures: &[
            (Figure::Auc, 0.93),
            (Figure::AveragePrecision, 0.51),
            (Figure::FHalf, 0.55),
            (Figure::FTwo, 0.58),
            (Figure::PrecisionHigh, 0.62),
            (Figure::RecallHigh, 0.37),
            (Figure::PrecisionModerate, 0.36),
            (Figure::RecallModerate, 0.69),
        ],
    },
];
