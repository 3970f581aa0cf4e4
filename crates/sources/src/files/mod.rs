//! One module a source: its columns and the rule that makes rows of a record.

use domain::Source;
use domain::records::Record;

use crate::error::FileError;
use crate::fields::{Fields, Issue};
use crate::layout::{Dialect, Layout};

/// A column of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name in the header; case does not matter.
    pub name: &'static str,
    /// What it holds, for people.
    pub kind: &'static str,
}

/// The columns of a source. [`Fields`] names them by their index: the required ones, then the optional ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// Without them a file is not of this source.
    pub required: &'static [Column],
    /// Read when present.
    pub optional: &'static [Column],
}

impl Columns {
    /// All of them, by index.
    pub fn all(&self) -> impl Iterator<Item = &'static Column> + use<> {
        self.required.iter().chain(self.optional)
    }
}

/// Declares the columns of a source, `COLUMNS`, and a constant for the index of each.
macro_rules! columns {
    (
        $access:vis required { $($required:ident = $required_name:literal: $required_kind:literal),* $(,)? }
        optional { $($optional:ident = $optional_name:literal: $optional_kind:literal),* $(,)? }
    ) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the order of the columns, named as the constants")]
        enum Index {
            $($required,)*
            $($optional,)*
        }
        $($access const $required: usize = Index::$required as usize;)*
        $($access const $optional: usize = Index::$optional as usize;)*
        $access const COLUMNS: Columns = Columns {
            required: &[$($crate::files::Column { name: $required_name, kind: $required_kind }),*],
            optional: &[$($crate::files::Column { name: $optional_name, kind: $optional_kind }),*],
        };
    };
}

mod accounts;
mod bdf;
mod bodacc;
mod diane;
mod ellisphere;
mod establishments;
mod headcounts;
mod legal_units;
mod links;
mod paydex;
mod short_time_work;
mod states;
mod urssaf;

pub use accounts::AccountsParser;
pub use bdf::BankRatiosParser;
pub use bodacc::NoticeParser;
pub use diane::CompanyAccountsParser;
pub use ellisphere::GroupLinkParser;
pub use establishments::EstablishmentParser;
pub use headcounts::{CompanyHeadcountParser, HeadcountParser};
pub use legal_units::LegalUnitParser;
pub use links::{AccountLinkParser, FilterParser};
pub use paydex::PaymentDelayParser;
pub use short_time_work::{ShortTimeConsumptionParser, ShortTimeRequestParser};
pub use states::EstablishmentStateParser;
pub use urssaf::{CcsfParser, ContributionParser, DebitParser, PaymentPlanParser, ProcolParser};

/// The parser of a source. Several threads parse a file, each with a copy.
pub trait RowParser: Clone + Send + Sync {
    /// What it makes.
    type Row: Record;
    /// How its files are written.
    const DIALECT: Dialect;
    /// What it reads.
    const COLUMNS: Columns;
    /// The column of the SIRET when a file may name an Urssaf account instead (`domain/ingestion.md` §1.4).
    const SIRET_OR_ACCOUNT: Option<usize> = None;
    /// Whether a file may begin with data: its columns are then the required ones.
    const HEADER_MAY_LACK: bool = false;

    /// Prepares for a file of this layout.
    fn new(layout: &Layout) -> Result<Self, FileError>;

    /// Whether what the parser learns from the first records of a file is known: from then on the order of the records does
    /// not matter.
    fn settled(&self) -> bool {
        true
    }

    /// Adds the rows of a record, or says why there are none.
    fn row(&mut self, fields: &mut Fields<'_>, rows: &mut Vec<Self::Row>) -> Result<(), Issue>;
}

/// Something to do with the parser of a source known at run time.
pub trait SourceVisitor {
    /// What it gives.
    type Output;

    /// Does it.
    fn visit<P: RowParser + 'static>(self) -> Self::Output;
}

/// Calls the visitor with the parser of a source.
pub fn dispatch<V: SourceVisitor>(source: Source, visitor: V) -> V::Output {
    match source {
        Source::Sirene => visitor.visit::<EstablishmentParser>(),
        Source::SireneUl => visitor.visit::<LegalUnitParser>(),
        Source::SireneHisto => visitor.visit::<EstablishmentStateParser>(),
        Source::Effectif => visitor.visit::<HeadcountParser>(),
        Source::EffectifEnt => visitor.visit::<CompanyHeadcountParser>(),
        Source::Cotisation => visitor.visit::<ContributionParser>(),
        Source::Debit => visitor.visit::<DebitParser>(),
        Source::Delai => visitor.visit::<PaymentPlanParser>(),
        Source::Ccsf => visitor.visit::<CcsfParser>(),
        Source::Procol => visitor.visit::<ProcolParser>(),
        Source::Apconso => visitor.visit::<ShortTimeConsumptionParser>(),
        Source::Apdemande => visitor.visit::<ShortTimeRequestParser>(),
        Source::Paydex => visitor.visit::<PaymentDelayParser>(),
        Source::RatiosInpiBce => visitor.visit::<AccountsParser>(),
        Source::Bodacc => visitor.visit::<NoticeParser>(),
        Source::AdminUrssaf => visitor.visit::<AccountLinkParser>(),
        Source::Filter => visitor.visit::<FilterParser>(),
        Source::Diane => visitor.visit::<CompanyAccountsParser>(),
        Source::Bdf => visitor.visit::<BankRatiosParser>(),
        Source::Ellisphere => visitor.visit::<GroupLinkParser>(),
    }
}

/// Columns that tell a source from the others: fewer are found by chance.
const TELLING: usize = 3;

/// The source whose columns these are: of those that find all they need, the one that needs most.
pub(crate) fn recognise(names: &[String]) -> Option<Source> {
    struct Needs<'a>(&'a [String]);
    impl SourceVisitor for Needs<'_> {
        type Output = Option<usize>;
        fn visit<P: RowParser + 'static>(self) -> Option<usize> {
            let has = |wanted: &Column| self.0.iter().any(|name| name.eq_ignore_ascii_case(wanted.name));
            P::COLUMNS.required.iter().all(has).then_some(P::COLUMNS.required.len())
        }
    }
    let found = Source::ALL.into_iter().filter_map(|source| dispatch(source, Needs(names)).map(|needed| (needed, source)));
    found.filter(|(needed, _)| *needed >= TELLING).max_by_key(|(needed, _)| *needed).map(|(_, source)| source)
}
