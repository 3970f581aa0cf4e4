//! Arguments of `companies`, `feedback` and `audit`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use domain::{BatchKey, Month, NaiveDate, Siren};

/// `companies`.
#[derive(Debug, Subcommand)]
pub enum Companies {
    /// What you may see of a company: who it is, its figures by month, its procedures, its scores.
    Show {
        /// Which.
        siren: Siren,
        /// First month; three years before the last when not given.
        #[arg(long)]
        from: Option<Month>,
    },
    /// Companies by SIREN, SIRET or beginning of a word of the name.
    Search {
        /// Three characters at least.
        query: String,
        /// Companies shown, 50 at most.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=50))]
        limit: i32,
    },
    /// Follow a company. Outside of your territory it needs a comment, and ends after 90 days.
    Follow {
        /// Which.
        siren: Siren,
        /// Why.
        #[arg(long, value_enum)]
        reason: Reason,
        /// More about it.
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// End a follow.
    Unfollow {
        /// Of which company.
        siren: Siren,
        /// What came of it.
        #[arg(long, value_enum)]
        outcome: Outcome,
        /// More about it.
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// What you follow.
    Follows,
    /// Open a company outside of your territory for a day.
    BreakGlass {
        /// Which.
        siren: Siren,
        /// Why.
        #[arg(long)]
        motive: String,
    },
}

/// Why a company is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reason {
    /// A list signals it.
    Detection,
    /// Somebody outside of the network does.
    ExternalSource,
    /// Somebody of the network does.
    InternalSource,
    /// Another reason.
    Other,
}

/// What came of a follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Outcome {
    /// The administration acted.
    Actions,
    /// It did not.
    NoAction,
}

/// `feedback`.
#[derive(Debug, Subcommand)]
pub enum Feedback {
    /// Rate a detection of the published list.
    Rate {
        /// Of which company.
        siren: Siren,
        /// It helped.
        #[arg(long, conflicts_with = "useless", required_unless_present = "useless")]
        useful: bool,
        /// It did not; say why.
        #[arg(long, requires = "reasons")]
        useless: bool,
        /// Codes of `sf feedback reasons`.
        #[arg(long = "reason", value_name = "CODE")]
        reasons: Vec<String>,
        /// More about it.
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Reasons that a rating may give.
    Reasons,
    /// Write the ratings as `sf train --feedback` reads them: the months before a detection that was useless count less, or not at all.
    Export {
        /// A .csv file.
        #[arg(long)]
        out: PathBuf,
        /// Of these lists; of all when none is named.
        #[arg(long = "list", value_name = "LIST")]
        lists: Vec<BatchKey>,
        /// What the months of a company count whose detection was useless: 0 leaves them out.
        #[arg(long, default_value_t = 0.0)]
        useless_weight: f32,
        /// Months up to the list's.
        #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(i32).range(1..=120))]
        months: i32,
    },
}

/// `audit`.
#[derive(Debug, clap::Args)]
pub struct Audit {
    /// First day, YYYY-MM-DD; today when not given.
    #[arg(long)]
    pub from: Option<NaiveDate>,
    /// Last day.
    #[arg(long)]
    pub to: Option<NaiveDate>,
    /// Who.
    #[arg(long, default_value = "")]
    pub subject: String,
    /// Of which company.
    #[arg(long)]
    pub siren: Option<Siren>,
    /// End of the method's name, for example ExportList.
    #[arg(long, default_value = "")]
    pub method: String,
    /// Records shown.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}
