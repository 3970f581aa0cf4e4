//! The arguments of every verb (`design.md` §4).

mod companies;
mod delivery;
mod learning;
mod lists;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::servers::Servers;

pub use companies::{Audit, Companies, Feedback, Outcome as FollowOutcome, Reason as FollowReason};
pub use delivery::{Batches, Datagen, Ingest, Parse, Perimeter};
pub use learning::{Features, FrameView, ModelKind, Models, Protocol, Train, TrainWorker};
pub use lists::{Backups, Lists, Load, LoadTarget, Run, Score, Selection, Up};

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
    /// Help the training service of --server to grow trees, on the same tables; until it is stopped.
    TrainWorker(TrainWorker),
    /// Models registered.
    #[command(subcommand)]
    Models(Models),
    /// Score companies, or build the list of a batch.
    Score(Score),
    /// Ranked lists.
    #[command(subcommand)]
    Lists(Lists),
    /// Companies for the agents who help them.
    #[command(subcommand)]
    Companies(Companies),
    /// What agents say of detections.
    #[command(subcommand)]
    Feedback(Feedback),
    /// Who asked services with an identity provider for what.
    Audit(Audit),
    /// Copies of everything that is stored, and the way back.
    #[command(subcommand)]
    Backup(Backups),
    /// Everything: import, features, training if there is no champion, list, publication.
    Run(Run),
    /// Serve all services in this process.
    Up(Up),
    /// Send requests at a fixed rate and say how long answers take.
    Load(Load),
    /// Check that everything is in place.
    Doctor,
}

impl Verb {
    /// Its name on the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Datagen(_) => "datagen",
            Self::Parse(_) => "parse",
            Self::Ingest(_) => "ingest",
            Self::Batches(_) => "batches",
            Self::Perimeter(_) => "perimeter",
            Self::Features(_) => "features",
            Self::Train(_) => "train",
            Self::TrainWorker(_) => "train-worker",
            Self::Models(_) => "models",
            Self::Score(_) => "score",
            Self::Lists(_) => "lists",
            Self::Companies(_) => "companies",
            Self::Feedback(_) => "feedback",
            Self::Audit(_) => "audit",
            Self::Backup(_) => "backup",
            Self::Run(_) => "run",
            Self::Up(_) => "up",
            Self::Load(_) => "load",
            Self::Doctor => "doctor",
        }
    }
}

/// Name of a choice, on the command line and in requests alike.
pub fn name(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn models_have_the_names_that_training_knows() {
        for kind in ModelKind::value_variants() {
            assert!(training::learn::Kind::parse(&name(kind)).is_some(), "{kind:?}");
        }
        assert_eq!(name(&Protocol::Holdout), "holdout");
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
            "sf load features --rate 0",
            "sf load models",
            "sf companies follow 123456782",
            "sf feedback rate 123456782",
            "sf feedback rate 123456782 --useless",
            "sf audit --from yesterday",
            "sf train --batch 2511 --protocol kfold",
            "sf train --frame f.parquet --entity e",
            "sf train --batch 2511 --label y",
            "sf train --batch 2511 --parameter seed",
            "sf train --batch 2511 --alone",
            "sf --server scoring=http://s doctor",
        ] {
            assert_eq!(parse(bad).unwrap_err().exit_code(), 2, "{bad}");
        }
        assert!(parse("sf train --frame f.parquet --entity e --time t --label l --out d").is_ok());
    }
}
