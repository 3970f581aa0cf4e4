//! Verbs about scores and lists, and those that run everything.

use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::Utc;
use clap::{Args, Subcommand, ValueEnum};
use domain::{AlertLevel, BatchKey, Department, Month, Region, Siren};

use super::Profile;

/// Arguments of `score`.
#[derive(Debug, Args)]
pub struct Score {
    /// Companies.
    #[arg(required_unless_present = "batch")]
    pub sirens: Vec<Siren>,
    /// Say why.
    #[arg(long)]
    pub explain: bool,
    /// Build the list of this batch.
    #[arg(long, conflicts_with_all = ["sirens", "explain"])]
    pub batch: Option<BatchKey>,
}

/// Which entries of a list.
#[derive(Debug, Default, Args)]
pub struct Selection {
    /// Departments of the head office.
    #[arg(long, value_delimiter = ',')]
    pub department: Vec<Department>,
    /// Regions of the head office.
    #[arg(long, value_delimiter = ',')]
    pub region: Vec<Region>,
    /// Levels: none, moderate, high.
    #[arg(long, value_delimiter = ',')]
    pub level: Vec<AlertLevel>,
    /// Companies with any establishment in these departments or regions, not only the head office.
    #[arg(long)]
    pub any_establishment: bool,
    /// Companies alerted for the first time.
    #[arg(long)]
    pub first_alerts: bool,
    /// Part of a name, or beginning of a SIREN.
    #[arg(long, default_value = "")]
    pub query: String,
    /// Conditions, as in 'headcount >= 50 AND NOT payment_plan = true' (docs/lists.md).
    #[arg(long, default_value = "")]
    pub filter: String,
}

/// Verbs of `lists`.
#[derive(Debug, Subcommand)]
pub enum Lists {
    /// Lists built.
    List,
    /// Entries of a list by rank.
    Show {
        /// Identifier, or latest.
        id: String,
        /// Which entries.
        #[command(flatten)]
        selection: Selection,
        /// Order: rank, name, headcount, turnover or social_debt, each with ' desc' for the other way.
        #[arg(long, default_value = "")]
        order_by: String,
        /// Entries shown at most.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// How many companies of a list, by level, department and sector.
    Summary {
        /// Identifier, or latest.
        id: String,
        /// Which entries.
        #[command(flatten)]
        selection: Selection,
    },
    /// A short list to start from: first alerts without payment plan, old enough, so many a department.
    Propose {
        /// Identifier, or latest.
        id: String,
        /// Which entries.
        #[command(flatten)]
        selection: Selection,
        /// Companies of a department, at most.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
        per_department: u32,
        /// Youngest age, years.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
        least_age: u32,
    },
    /// What changed from a list to another.
    Diff {
        /// Earlier list.
        from: String,
        /// Later list.
        to: String,
    },
    /// A list as a file.
    Export {
        /// Identifier, or latest.
        id: String,
        /// File, .csv, .xlsx or .parquet.
        #[arg(long)]
        out: PathBuf,
        /// Which columns: full, or codefi for the 24 that agents know.
        #[arg(long, default_value = "full")]
        columns: String,
        /// Which entries.
        #[command(flatten)]
        selection: Selection,
    },
    /// Make a list the published one.
    Publish {
        /// Identifier.
        id: String,
    },
    /// Publish again the list published before.
    Rollback,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sf run /deliveries/2511 --batch 2511
  sf run public-files --batch 2511 --profile open-data      files of data.gouv.fr only: docs/open-data.md")]
pub struct Run {
    /// Folder of the delivery, or s3://bucket/prefix; `{batch}` in it stands for the batch.
    pub delivery: String,
    /// Batch, YYMM; `current` for that of this month.
    #[arg(long, value_parser = batch_or_current)]
    pub batch: BatchKey,
    /// Which files the delivery is made of: with open-data the perimeter comes from the headcount bands of SIRENE.
    #[arg(long, value_enum, default_value = "full")]
    pub profile: Profile,
    /// Commit even what a quality gate refuses.
    #[arg(long)]
    pub allow_degraded: bool,
    /// Quality gates to override, by name: rejected_share, no_rows, row_loss, amount_change. The report records it.
    #[arg(long, value_delimiter = ',', value_name = "GATE")]
    pub allow: Vec<String>,
}

/// Verbs of `backup`. Roots are folders or s3://bucket/prefix; the one that is copied is that of the configuration.
#[derive(Debug, Subcommand)]
pub enum Backups {
    /// Copy the root, while the suite works; contents that are there already are not written again.
    Create {
        /// Root of the copies.
        #[arg(long)]
        to: String,
        /// Name of the copy; the time when not given.
        #[arg(long)]
        name: Option<String>,
    },
    /// The complete copies.
    List {
        /// Root of the copies.
        #[arg(long)]
        at: String,
    },
    /// Put a copy into the root, which must be empty and used by nobody.
    Restore {
        /// Root of the copies.
        #[arg(long)]
        from: String,
        /// Name of the copy.
        #[arg(long)]
        name: String,
    },
}

/// Arguments of `up`.
#[derive(Debug, Args)]
pub struct Up {
    /// gRPC address; port 0 takes a free one [default: that of the configuration, 127.0.0.1:7000 without].
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Address of /healthz, /readyz and /metrics [default: that of the configuration, a free port without].
    #[arg(long)]
    pub admin: Option<SocketAddr>,
}

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(after_help = "Example: sf --server http://127.0.0.1:7000 load features --rate 2000 --companies 1 --seconds 30

Requests are sent when they are due, whether or not earlier ones are answered; a latency counts from when its request was due.")]
pub struct Load {
    /// What is asked for.
    pub what: LoadTarget,
    /// Requests a second.
    #[arg(long, default_value_t = 100.0, value_parser = rate)]
    pub rate: f64,
    /// For how long.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: u32,
    /// Companies in each request.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub companies: u32,
    /// Companies are drawn from the perimeter of this batch; the latest otherwise.
    #[arg(long)]
    pub batch: Option<BatchKey>,
}

/// What `load` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoadTarget {
    /// Vectors of features.
    Features,
    /// Scores.
    Scores,
    /// Pages of the published list: 50 entries of a department.
    Lists,
}

/// A batch, or the one that this month's files are for.
fn batch_or_current(text: &str) -> Result<BatchKey, String> {
    if text == "current" {
        let month = Month::of(Utc::now().date_naive());
        return BatchKey::of_month(month).ok_or_else(|| format!("{month} is the month of no batch"));
    }
    text.parse().map_err(|error| format!("{error}"))
}

/// A rate that a clock can keep.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| (0.01..=1e6).contains(rate));
    rate.ok_or_else(|| "a number of requests a second is expected, from 0.01 to 1000000".to_owned())
}
