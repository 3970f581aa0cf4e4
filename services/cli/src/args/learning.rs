//! Verbs about features and models.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use domain::{BatchKey, Month, Siren};

/// Verbs of `features`.
#[derive(Debug, Subcommand)]
pub enum Features {
    /// The catalogue.
    List,
    /// Compute the features of a batch and publish the latest ones.
    Build {
        /// Batch.
        #[arg(long)]
        batch: BatchKey,
        /// First month computed.
        #[arg(long)]
        from: Option<Month>,
    },
    /// The vector of a company, as it could be known at a month.
    Get {
        /// Company.
        siren: Siren,
        /// Month; the latest otherwise.
        #[arg(long)]
        month: Option<Month>,
        /// According to this batch; the latest otherwise.
        #[arg(long)]
        batch: Option<BatchKey>,
    },
    /// The monthly history of a company.
    History {
        /// Company.
        siren: Siren,
        /// According to this batch; the latest otherwise.
        #[arg(long)]
        batch: Option<BatchKey>,
    },
    /// The vectors of a batch, or some of them, as a file.
    Export(Export),
    /// Compare what is served, what is stored and what the sources give, for companies drawn at random.
    Check {
        /// How many companies.
        #[arg(long, default_value_t = 1_000)]
        companies: u32,
        /// What draws them.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// How far each source reaches.
    Freshness {
        /// As of this batch; the latest otherwise.
        #[arg(long)]
        batch: Option<BatchKey>,
    },
    /// How the latest month differs from what the champion learnt from, or from an earlier month.
    Drift {
        /// Batch; the latest otherwise.
        #[arg(long)]
        batch: Option<BatchKey>,
        /// Month to compare with, instead of the champion's training months; a year earlier when there is no champion.
        #[arg(long)]
        reference: Option<Month>,
    },
}

/// Columns of an export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FrameView {
    /// The catalogue.
    #[default]
    Features,
    /// Third generation (2021), 17 inputs.
    G3,
    /// Fifth generation (2024), 36 inputs.
    G5,
    /// Fifth generation with yearly lags, 100 inputs.
    G5Yearly,
}

/// Arguments of `features export`.
#[derive(Debug, Args)]
pub struct Export {
    /// Batch.
    #[arg(long)]
    pub batch: BatchKey,
    /// First month.
    #[arg(long)]
    pub from: Option<Month>,
    /// Last month.
    #[arg(long)]
    pub to: Option<Month>,
    /// Columns: the features, or the inputs of a published model (with its flaws, for comparison only).
    #[arg(long, value_enum, default_value_t)]
    pub view: FrameView,
    /// Only these features.
    #[arg(long = "feature", value_delimiter = ',')]
    pub features: Vec<String>,
    /// Only these companies.
    #[arg(long = "siren", value_delimiter = ',')]
    pub sirens: Vec<Siren>,
    /// Only rows whose outcome is known.
    #[arg(long)]
    pub labelled: bool,
    /// Only companies at risk.
    #[arg(long)]
    pub at_risk: bool,
    /// Only this share of the companies, between 0 and 1.
    #[arg(long)]
    pub sample: Option<f64>,
    /// What draws the sample.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// File: `.parquet`, or `.arrows` for an Arrow stream.
    #[arg(long)]
    pub out: PathBuf,
}

/// How the rows of the past are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Train, 18 months of embargo, validate, test on later months.
    Holdout,
    /// The same on companies that training has not seen.
    Disjoint,
    /// The same from several origins.
    Rolling,
    /// As published in March 2024, for comparison only.
    Lenient,
}

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelKind {
    /// Boosted trees and a forest, as one model.
    Mixture,
    /// Boosted trees.
    Lightgbm,
    /// Logistic regression.
    Logistic,
    /// Random forest.
    RandomForest,
    /// Debt above one month of contributions for three months.
    Rule,
}

/// Arguments of `train`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sf train --batch 2511 --protocol rolling
  sf train --batch 2511 --compare disjoint,lenient --parameter num_leaves=31 --parameter seed=7
  sf train --frame panel.parquet --entity siren --time month --label failed --out result")]
pub struct Train {
    /// Batch whose features are learnt from.
    #[arg(long, required_unless_present = "frame")]
    pub batch: Option<BatchKey>,
    /// How the rows of the past are split. A frame has its own sides, or sides by entity or by time.
    #[arg(long, value_enum, default_value = "holdout", conflicts_with = "frame")]
    pub protocol: Protocol,
    /// What is trained.
    #[arg(long, value_enum, default_value = "mixture")]
    pub model: ModelKind,
    /// Protocols measured beside it, for the report; those of the configuration otherwise.
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "frame")]
    pub compare: Vec<Protocol>,
    /// A parameter of the boosting, as NAME=VALUE: num_leaves, learning_rate, rounds, seed…
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
    /// Processes that grow the trees together, this one among them: start the others with `sf train-worker`.
    #[arg(long, value_name = "PROCESSES", default_value_t = 1, conflicts_with = "frame")]
    pub workers: u32,
    /// Search for better parameters among so many candidates, by successive halving on validation.
    #[arg(long, value_name = "CANDIDATES", default_value_t = 0, conflicts_with = "frame")]
    pub search: u32,
    /// Minutes after which the search tries no further candidate.
    #[arg(long, value_name = "MINUTES", requires = "search")]
    pub search_minutes: Option<u32>,
    /// What agents did and said: a CSV file with the columns siren, from, to (YYYY-MM) and weight (0 leaves the months out).
    #[arg(long, value_name = "FILE", conflicts_with = "frame")]
    pub feedback: Option<PathBuf>,
    /// Learn from this Parquet or CSV file instead; nothing is registered.
    #[arg(long, requires_all = ["entity", "time", "label", "out"])]
    pub frame: Option<PathBuf>,
    /// Column of the entity.
    #[arg(long, requires = "frame", value_name = "COLUMN")]
    pub entity: Option<String>,
    /// Column of the time.
    #[arg(long, requires = "frame", value_name = "COLUMN")]
    pub time: Option<String>,
    /// Column of the outcome, 0 or 1.
    #[arg(long, requires = "frame", value_name = "COLUMN")]
    pub label: Option<String>,
    /// Train and measure this model only, without the others beside it.
    #[arg(long, requires = "frame")]
    pub alone: bool,
    /// Column of the side of the split: train, validation or test. Otherwise entities are divided, or times with --embargo.
    #[arg(long, requires = "frame", value_name = "COLUMN")]
    pub split: Option<String>,
    /// Divide by time: of the times with an outcome the last fifth tests, the one before validates, and the months (or numbers) before
    /// that are left out. With --split, check that its sides follow each other so; an entity may then be of several.
    #[arg(long, requires = "frame", value_name = "MONTHS")]
    pub embargo: Option<u16>,
    /// Columns that are no features.
    #[arg(long, requires = "frame", value_delimiter = ',', value_name = "COLUMNS")]
    pub ignore: Vec<String>,
    /// Folder for card.html and metrics.json; with --frame predictions.csv and model.txt too.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Arguments of `train-worker`.
#[derive(Debug, Args)]
pub struct TrainWorker {
    /// Address at which the other processes reach this one.
    #[arg(long, default_value = "127.0.0.1")]
    pub address: std::net::IpAddr,
    /// End after so many trainings.
    #[arg(long)]
    pub trainings: Option<u32>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give NAME=VALUE, as in num_leaves=31")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Verbs of `models`.
#[derive(Debug, Subcommand)]
pub enum Models {
    /// Models registered.
    List,
    /// A model and its figures.
    Show {
        /// Identifier, or champion.
        id: String,
    },
    /// Make a model the champion.
    Promote {
        /// Identifier.
        id: String,
        /// Why, although its report gives a reason to doubt it; recorded.
        #[arg(long, value_name = "REASON")]
        because: Option<String>,
    },
    /// Go back to the champion before the champion.
    Rollback,
    /// Let a model score beside the champion when lists are built, unseen by agents.
    Shadow {
        /// Identifier; without it no model does.
        id: Option<String>,
    },
    /// The model card, an HTML page.
    Card {
        /// Identifier, or champion.
        id: String,
        /// File; printed otherwise.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}
