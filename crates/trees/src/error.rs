//! The errors of the crate: what is wrong with the call, or what LightGBM says.

use thiserror::Error;

/// Why a data set, a training, a prediction or a fit could not be made.
#[derive(Debug, Error)]
pub enum TreesError {
    /// LightGBM refused a call.
    #[error("LightGBM failed in {call}: {message}")]
    LightGbm {
        /// The function of its C interface.
        call: &'static str,
        /// Its own words.
        message: String,
    },
    /// The machines that train together did not find each other.
    #[error("the machines that train together are not connected: {problem}; start the training again")]
    Network {
        /// Which machine, and why.
        problem: String,
    },
    /// The values are not whole rows.
    #[error("{values} values do not make rows of {features} features: give a multiple of {features}, which must not be 0")]
    Shape {
        /// How many values came.
        values: usize,
        /// How many one row has.
        features: usize,
    },
    /// The rows have other features than the model or the data set.
    #[error("rows of {found} features were given where {expected} are expected: use the catalogue of the model")]
    FeatureCount {
        /// Features of the model or data set.
        expected: usize,
        /// Features of the rows.
        found: usize,
    },
    /// Two parallel arrays differ in length.
    #[error("{found} {what} were given for {expected} rows: give one for each row")]
    Length {
        /// The array, in the plural.
        what: &'static str,
        /// Number of rows.
        expected: usize,
        /// Length of the array.
        found: usize,
    },
    /// The rows pushed are not as many as were announced.
    #[error("{announced} rows were announced and {pushed} pushed: count the rows again, the table has changed")]
    RowCount {
        /// Rows that the data set was made for.
        announced: usize,
        /// Rows that came.
        pushed: usize,
    },
    /// A label is neither 0 nor 1, a weight is not positive, or a score is not a number.
    #[error("{what} {value} at row {row} is not allowed")]
    Value {
        /// What it is.
        what: &'static str,
        /// The value.
        value: f64,
        /// Its row, from 0, in the array given.
        row: usize,
    },
    /// Nothing can be learnt from rows of one class.
    #[error("all {rows} rows have the same label: widen the period or the perimeter so that both outcomes occur")]
    SingleClass {
        /// Number of rows.
        rows: usize,
    },
    /// A parameter has no meaning.
    #[error("parameter {name}: {problem}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// A parameter given by name cannot be set.
    #[error("parameter {name}: {problem}")]
    Setting {
        /// Its name, as given.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A text is not a model that this crate can run.
    #[error("this is not a LightGBM text model of one binary or raw output: {problem}")]
    ModelText {
        /// What is missing or different.
        problem: String,
    },
    /// The caller asked to stop.
    #[error("training was cancelled after {rounds} rounds")]
    Cancelled {
        /// Rounds that were finished.
        rounds: u32,
    },
    /// A value could not be written as JSON.
    #[error("cannot write the parameters as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The result of this crate's functions.
pub type Result<T, E = TreesError> = std::result::Result<T, E>;

impl TreesError {
    /// Checks that an array has one element for each row.
    pub(crate) fn check_length(what: &'static str, expected: usize, found: usize) -> Result<()> {
        if expected == found { Ok(()) } else { Err(Self::Length { what, expected, found }) }
    }

    /// Checks that rows have the features that are expected.
    pub(crate) fn check_features(expected: usize, found: usize) -> Result<()> {
        if expected == found { Ok(()) } else { Err(Self::FeatureCount { expected, found }) }
    }

    /// An error about a parameter.
    pub(crate) fn parameter(name: &'static str, problem: impl Into<String>) -> Self {
        Self::Parameter { name, problem: problem.into() }
    }
}
