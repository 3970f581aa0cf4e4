//! The learning engine: LightGBM behind a safe interface, and everything that a model of company failure needs around it.
//!
//! - [`Rows`], [`Dataset`], [`train()`], [`Model`]: streamed training data, reproducible training, prediction, contributions;
//! - [`blend()`]: one model out of several;
//! - [`network`]: the same over several machines;
//! - [`reference`]: predictions by LightGBM's own code, which ours equal;
//! - [`metrics`]: ranking, thresholds, probabilities, confidence intervals by company, lead time;
//! - [`calibration`]: from log-odds to probabilities;
//! - [`scorers`]: the models that are compared, behind one trait: boosting, forest, logistic regression, rule on debts;
//! - [`explain`]: contributions by group, and their additive form in percentage points;
//! - [`manifest`], [`signature`]: what is stored beside a model, and who made it.
//!
//! Nothing here knows the names of features, files or services. All unsafe code of the workspace is in the modules `ffi` and `collective`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod blend;
pub mod calibration;
mod collective;
pub mod dataset;
pub mod error;
pub mod explain;
mod ffi;
mod inference;
pub mod manifest;
mod mesh;
pub mod metrics;
pub mod model;
mod model_text;
pub mod network;
mod newton;
pub mod params;
pub mod reference;
pub mod rows;
pub mod scorers;
mod sigmoid;
pub mod signature;
pub mod train;

pub use blend::{Part, blend};
pub use dataset::{Dataset, DatasetBuilder, Sampler, Schema};
pub use error::{Result, TreesError};
pub use model::{Model, TOO_UNKNOWN};
pub use network::Network;
pub use params::{Binning, Boosting, Params, ValidationMetric, fingerprint};
pub use rows::{Rows, Value};
pub use scorers::Scorer;
pub use train::{Round, Trained, train, train_together};
