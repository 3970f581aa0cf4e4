//! The arguments of every verb (`design.md` §4).

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::{AlertLevel, BatchKey, Department, Month, Region, Siren, Source};

use crate::servers::Servers;

/// Shown under `sf --help`.
const EXAMPLES: &str = "\
Examples:
  sf datagen --out delivery --companies 3000 --seed 1 --batch 2511   invent a delivery
  sf run delivery --batch 2511                                       from its files to a published list
  sf lists show latest --department 21 --level high --limit 20       read the list
  sf score 123456782 --explain                                       one company, and why
  sf --server http://127.0.0.1:7000 doctor                           is everything in place?

Exit code: 0 if all of it worked, 1 if not, 2 for arguments that cannot be used, 130 after Ctrl-C.";

/// Which companies are heading for a collective procedure, and why.
///
/// Without --server everything runs in this process, with its state under --data.
#[derive(Debug, Parser)]
#[command(name = "sf", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Address of running services: one URL for all, or ingestion=URL,features=URL,training=URL,scoring=URL.
    #[arg(long, global = true, env = "SF_SERVER", value_name = "URL")]
    pub server: Option<Servers>,
    /// Folder of an embedded run [default: ./sf-data].
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// TOML file of the configuration of an embedded run or of `sf up` (see config.example.toml).
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub format: Format,
    /// No progress.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person.
    Table,
    /// For a program.
    Json,
    /// For a spreadsheet.
    Csv,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write an invented delivery in the raw formats.
    Datagen(Datagen),
    /// Parse one file: rows as JSON lines on stdout, report on stderr; stores nothing.
    Parse(Parse),
    /// Import a delivery.
    Ingest(Ingest),
    /// Batches imported.
    #[command(subcommand)]
    Batches(Batches),
    /// Who is in the perimeter, and why the others are not.
    #[command(subcommand)]
    Perimeter(Perimeter),
    /// Features of companies.
    #[command(subcommand)]
    Features(Features),
    /// Train a model and register it.
    Train(Train),
    /// Models registered.
    #[command(subcommand)]
    Models(Models),
    /// Score companies, or build the list of a batch.
    Score(Score),
    /// Ranked lists.
    #[command(subcommand)]
    Lists(Lists),
    /// Everything: import, features, training if there is no champion, list, publication.
    Run(Run),
    /// Serve all services in this process.
    Up(Up),
    /// Check that everything is in place.
    Doctor,
}

/// Which files a delivery is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Profile {
    /// Those of the administrations.
    #[default]
    Full,
    /// Public files only: SIRENE, BODACC, published accounts.
    OpenData,
}

impl Profile {
    /// Name in a request.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "",
            Self::OpenData => "open-data",
        }
    }
}

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
    /// The vectors of a batch as a Parquet file.
    Export {
        /// Batch.
        #[arg(long)]
        batch: BatchKey,
        /// First month.
        #[arg(long)]
        from: Option<Month>,
        /// Last month.
        #[arg(long)]
        to: Option<Month>,
        /// File.
        #[arg(long)]
        out: PathBuf,
    },
    /// How far each source reaches.
    Freshness {
        /// As of this batch; the latest otherwise.
        #[arg(long)]
        batch: Option<BatchKey>,
    },
    /// How the latest month differs from an earlier one.
    Drift {
        /// Batch; the latest otherwise.
        #[arg(long)]
        batch: Option<BatchKey>,
        /// Month to compare with; a year earlier otherwise.
        #[arg(long)]
        reference: Option<Month>,
    },
}

/// How the rows of the past are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Train, 18 months of embargo, validate, test on later months and other companies.
    Holdout,
    /// The same from several origins.
    Rolling,
    /// As published in March 2024, for comparison only.
    Lenient,
}

impl Protocol {
    /// Name in a request.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holdout => "holdout",
            Self::Rolling => "rolling",
            Self::Lenient => "lenient",
        }
    }
}

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelKind {
    /// Boosted trees.
    Lightgbm,
    /// Logistic regression.
    Logistic,
    /// Random forest.
    RandomForest,
    /// Debt above one month of contributions for three months.
    Rule,
}

impl ModelKind {
    /// Name in a request.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lightgbm => "lightgbm",
            Self::Logistic => "logistic",
            Self::RandomForest => "random-forest",
            Self::Rule => "rule",
        }
    }
}

/// Arguments of `train`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sf train --batch 2511 --protocol rolling
  sf train --frame panel.parquet --entity siren --time month --label failed --out result")]
pub struct Train {
    /// Batch whose features are learnt from.
    #[arg(long, required_unless_present = "frame")]
    pub batch: Option<BatchKey>,
    /// How the rows of the past are split.
    #[arg(long, value_enum, default_value = "holdout")]
    pub protocol: Protocol,
    /// What is trained.
    #[arg(long, value_enum, default_value = "lightgbm")]
    pub model: ModelKind,
    /// Learn from this Parquet file instead; nothing is registered.
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
    /// Folder for the figures: with --frame predictions.csv and metrics.json, otherwise card.html and metrics.json.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
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
#[derive(Debug, Args)]
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
        /// Entries shown at most.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
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
    /// Folder of the delivery, or s3://bucket/prefix.
    pub delivery: String,
    /// Batch, YYMM.
    #[arg(long)]
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn arguments_are_checked_before_anything_runs() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(parse("sf ingest d --batch 2511 --source debit,procol").is_ok());
        for bad in [
            "sf ingest d --batch 2513",
            "sf ingest d --batch 2511 --source debits",
            "sf features get 12",
            "sf lists show latest --department 20",
            "sf score",
            "sf score 12",
            "sf lists show latest --limit 0",
            "sf train --batch 2511 --protocol kfold",
            "sf train --frame f.parquet --entity e",
            "sf train --batch 2511 --label y",
            "sf --server scoring=http://s doctor",
        ] {
            assert_eq!(parse(bad).unwrap_err().exit_code(), 2, "{bad}");
        }
        assert!(parse("sf train --frame f.parquet --entity e --time t --label l --out d").is_ok());
    }
}
