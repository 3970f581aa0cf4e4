//! The vocabulary of Signaux Faibles: identifiers, months, money, territories, activities and the typed rows of every source.
//!
//! Pure types without I/O. A value that exists is valid: each type is built through a checked constructor, so that no
//! other crate has to check again. French words name what exists only in French law or files; `docs/glossary.md` defines them.

pub mod alert;
pub mod batch;
pub mod bodacc;
pub mod dates;
pub mod departments;
pub mod headcount;
pub mod legal;
pub mod money;
pub mod month;
pub mod naf;
pub mod procol;
pub mod records;
pub mod siren;
pub mod source;
pub mod territory;
pub mod time_rules;
pub mod urssaf;

pub use alert::AlertLevel;
pub use batch::BatchKey;
pub use chrono::NaiveDate;
pub use departments::DepartmentSet;
pub use headcount::HeadcountBand;
pub use legal::LegalCategory;
pub use money::Cents;
pub use month::Month;
pub use naf::{NafCode, NafNomenclature, NafSection};
pub use procol::{ProcolAction, ProcolStage, ProcolState};
pub use siren::{Siren, Siret, SiretKind};
pub use source::{Delivery, Source};
pub use territory::{Department, Region};
pub use urssaf::UrssafPeriod;
