//! Verbs about files: made, read, imported, judged.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::{BatchKey, Siren, Source};

use super::Profile;

/// Arguments of `datagen`.
#[derive(Debug, Args)]
pub struct Datagen {
    /// Folder to write.
    #[arg(long)]
    pub out: PathBuf,
    /// Companies.
    #[arg(long, default_value_t = 3_000)]
    pub companies: u32,
    /// Seed: the same one gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Batch.
    #[arg(long)]
    pub batch: BatchKey,
    /// Months of history, up to the one before the batch; since January 2014 when not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub months: Option<u16>,
    /// Folder for the hidden truth, which only tests may read.
    #[arg(long)]
    pub truth: Option<PathBuf>,
    /// Which files to write.
    #[arg(long, value_enum, default_value = "full")]
    pub profile: Profile,
}

/// Arguments of `parse`.
#[derive(Debug, Args)]
#[command(after_help = "Example: sf parse debits_november.csv --source debit > debits.jsonl 2> report.json

Rows have the columns of their table: dates as YYYY-MM-DD, months as their first day, amounts in cents (columns *_cents).")]
pub struct Parse {
    /// File.
    pub file: PathBuf,
    /// Its source; told from its name otherwise.
    #[arg(long)]
    pub source: Option<Source>,
}

/// Arguments of `ingest`.
#[derive(Debug, Args)]
#[command(after_help = "Example: sf ingest /deliveries/2511 --batch 2511 --source debit,cotisation --check")]
pub struct Ingest {
    /// Folder of the delivery, or s3://bucket/prefix.
    pub delivery: String,
    /// Batch, YYMM.
    #[arg(long)]
    pub batch: BatchKey,
    /// Sources to import; all otherwise.
    #[arg(long, value_delimiter = ',')]
    pub source: Vec<Source>,
    /// Which files the delivery is made of: with open-data the perimeter comes from the headcount bands of SIRENE.
    #[arg(long, value_enum, default_value = "full")]
    pub profile: Profile,
    /// Sources whose files add to the earlier deliveries instead of replacing them (manifest.toml may say it too).
    #[arg(long, value_delimiter = ',', value_name = "SOURCE")]
    pub flow: Vec<Source>,
    /// Parse and report, commit nothing.
    #[arg(long)]
    pub check: bool,
    /// Commit even what a quality gate refuses; recorded in the report.
    #[arg(long)]
    pub allow_degraded: bool,
    /// Quality gates to override, by name: rejected_share, no_rows, row_loss, amount_change. The report records it.
    #[arg(long, value_delimiter = ',', value_name = "GATE")]
    pub allow: Vec<String>,
}

/// Verbs of `batches`.
#[derive(Debug, Subcommand)]
pub enum Batches {
    /// Batches imported.
    List,
    /// The report of the last import of a batch.
    Show {
        /// Batch.
        batch: BatchKey,
    },
    /// Rejected lines of a batch.
    Rejects {
        /// Batch.
        batch: BatchKey,
        /// Sources; all otherwise.
        #[arg(long, value_delimiter = ',')]
        source: Vec<Source>,
    },
    /// Rows added, removed and changed in each source, from the state as of a batch to that as of another.
    Diff {
        /// Earlier batch.
        before: BatchKey,
        /// Later batch.
        after: BatchKey,
        /// Sources; all otherwise.
        #[arg(long, value_delimiter = ',')]
        source: Vec<Source>,
    },
    /// Forget the batches beyond the last ones, and remove the files that nothing refers to.
    Prune {
        /// Batches that stay, the latest ones; all otherwise.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        keep: Option<u32>,
        /// Files that nothing refers to are removed when they are older: at least 24.
        #[arg(long, value_name = "HOURS", default_value_t = 168, value_parser = clap::value_parser!(u32).range(24..))]
        older_than: u32,
        /// Say what would be removed, remove nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Verbs of `perimeter`.
#[derive(Debug, Subcommand)]
pub enum Perimeter {
    /// Companies in or out, and why.
    Show {
        /// Batch.
        batch: BatchKey,
        /// One company.
        #[arg(long)]
        siren: Option<Siren>,
    },
}
