//! The unsafe code of the workspace, with `collective.rs`: owned handles over LightGBM's C interface, with checked arguments.
//!
//! Threads. LightGBM keeps its number of threads in one global, and sizes buffers by it that it indexes later by the
//! thread's number. A prediction that changed the global while another call runs would make that call write beyond its
//! buffers. So no parameter string of ours ever names `num_threads` (the global then always means "ask OpenMP"), and
//! each call sets OpenMP's own number, which belongs to the calling thread: see [`with_threads`].

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use lightgbm3_sys as sys;

use crate::error::{Result, TreesError};
use crate::rows::{Rows, Value};

unsafe extern "C" {
    // Of the OpenMP runtime that `lightgbm3-sys` links.
    safe fn omp_set_num_threads(threads: c_int);
    safe fn omp_get_max_threads() -> c_int;
}

/// The C code of a number type. Sealed: the wrappers trust it.
pub trait CellType: private::Sealed {
    /// `C_API_DTYPE_FLOAT32` or `C_API_DTYPE_FLOAT64`.
    const CODE: i32;
}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl CellType for f32 {
    const CODE: i32 = sys::C_API_DTYPE_FLOAT32 as i32;
}

impl CellType for f64 {
    const CODE: i32 = sys::C_API_DTYPE_FLOAT64 as i32;
}

/// Runs a LightGBM call with this number of OpenMP threads (at least one), on the calling thread only.
fn with_threads<T>(threads: usize, call: impl FnOnce() -> T) -> T {
    let before = omp_get_max_threads();
    omp_set_num_threads(c_int::try_from(threads).unwrap_or(c_int::MAX).max(1));
    let result = call();
    omp_set_num_threads(before);
    result
}

/// Turns a return code into a result with LightGBM's message.
pub(crate) fn check(call: &'static str, code: c_int) -> Result<()> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: the function returns a pointer to a NUL-terminated buffer of the calling thread, valid until its next call.
    let message = unsafe { CStr::from_ptr(sys::LGBM_GetLastError()) };
    Err(TreesError::LightGbm { call, message: message.to_string_lossy().into_owned() })
}

fn c_string(what: &'static str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| TreesError::parameter(what, "contains a NUL character"))
}

pub(crate) fn c_count(name: &'static str, count: usize) -> Result<i32> {
    i32::try_from(count).map_err(|_| TreesError::parameter(name, format!("{count} is beyond LightGBM's limit of 2^31 - 1")))
}

fn owned(call: &'static str, handle: *mut c_void) -> Result<NonNull<c_void>> {
    NonNull::new(handle).ok_or_else(|| TreesError::LightGbm { call, message: "no handle was returned".to_owned() })
}

/// One column of the sample that decides the bins: its values that are not zero, and the sampled rows which hold them.
#[derive(Debug, Default)]
pub(crate) struct SampledColumn {
    pub(crate) values: Vec<f64>,
    pub(crate) rows: Vec<c_int>,
}

/// A LightGBM data set: bins allocated for a fixed number of rows, filled by pushes.
#[derive(Debug)]
pub(crate) struct DatasetHandle {
    raw: NonNull<c_void>,
    rows: usize,
    features: usize,
    threads: usize,
    weighted: bool,
}

// SAFETY: a data set is plain memory without ties to the thread that made it; `&mut self` guards the pushes.
unsafe impl Send for DatasetHandle {}

impl DatasetHandle {
    /// Allocates a data set for `rows` rows with the bins found in a sample. LightGBM sorts the sample's values in place.
    pub(crate) fn from_sample(
        columns: &mut [SampledColumn],
        sampled: usize,
        rows: usize,
        weighted: bool,
        params: &str,
        threads: usize,
    ) -> Result<Self> {
        let features = columns.len();
        let (column_count, sample_count, row_count) =
            (c_count("features", features)?, c_count("sample_rows", sampled)?, c_count("rows", rows)?);
        let in_range = |row: &c_int| usize::try_from(*row).is_ok_and(|row| row < sampled);
        if columns.iter().any(|column| column.values.len() != column.rows.len() || !column.rows.iter().all(in_range)) {
            return Err(TreesError::parameter("sample", "a column's values and rows do not belong together"));
        }
        let counts: Vec<c_int> = columns.iter().map(|column| column.values.len() as c_int).collect();
        let mut values: Vec<*mut f64> = columns.iter_mut().map(|column| column.values.as_mut_ptr()).collect();
        let mut indices: Vec<*mut c_int> = columns.iter_mut().map(|column| column.rows.as_mut_ptr()).collect();
        let params = c_string("params", params)?;
        let mut raw = ptr::null_mut();
        // SAFETY: every column pointer is valid for the count given, all outlive the call, and indices are below `sampled`.
        let code = with_threads(threads, || unsafe {
            sys::LGBM_DatasetCreateFromSampledColumn(
                values.as_mut_ptr(),
                indices.as_mut_ptr(),
                column_count,
                counts.as_ptr(),
                sample_count,
                row_count,
                i64::from(row_count),
                params.as_ptr(),
                &raw mut raw,
            )
        });
        check("LGBM_DatasetCreateFromSampledColumn", code)?;
        let raw = owned("LGBM_DatasetCreateFromSampledColumn", raw)?;
        Self { raw, rows, features, threads, weighted }.ready()
    }

    /// Allocates a data set for `rows` rows with the bins of this one.
    pub(crate) fn aligned(&self, rows: usize, weighted: bool) -> Result<Self> {
        let row_count = i64::from(c_count("rows", rows)?);
        let mut raw = ptr::null_mut();
        // SAFETY: `self.raw` is a live data set; the new one copies its bins and does not point into it.
        let code = with_threads(self.threads, || unsafe { sys::LGBM_DatasetCreateByReference(self.raw.as_ptr(), row_count, &raw mut raw) });
        check("LGBM_DatasetCreateByReference", code)?;
        let raw = owned("LGBM_DatasetCreateByReference", raw)?;
        Self { raw, rows, features: self.features, threads: self.threads, weighted }.ready()
    }

    /// Makes room for labels and weights; pushes may follow.
    fn ready(self) -> Result<Self> {
        let threads = c_count("threads", self.threads)?;
        // SAFETY: `self.raw` is a live data set nobody else uses; its buffers are sized for the threads that `push` uses.
        let code = with_threads(self.threads, || unsafe {
            sys::LGBM_DatasetInitStreaming(self.raw.as_ptr(), c_int::from(self.weighted), 0, 0, 1, 1, threads)
        });
        check("LGBM_DatasetInitStreaming", code).map(|()| self)
    }

    /// Names the features, in the order of the columns.
    pub(crate) fn set_feature_names(&mut self, names: &[String]) -> Result<()> {
        TreesError::check_features(self.features, names.len())?;
        let names: Vec<CString> = names.iter().map(|name| c_string("feature name", name)).collect::<Result<_>>()?;
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: there is one valid NUL-terminated string for each feature, all outlive the call, which copies them.
        let code = unsafe { sys::LGBM_DatasetSetFeatureNames(self.raw.as_ptr(), pointers.as_mut_ptr(), pointers.len() as c_int) };
        check("LGBM_DatasetSetFeatureNames", code)
    }

    /// Writes rows with their labels, and weights if the data set is weighted, from row `start` on.
    pub(crate) fn push<V: Value>(&mut self, rows: Rows<'_, V>, start: usize, labels: &[f32], weights: Option<&[f32]>) -> Result<()> {
        let count = rows.len();
        TreesError::check_features(self.features, rows.features())?;
        TreesError::check_length("labels", count, labels.len())?;
        TreesError::check_length("weights", if self.weighted { count } else { 0 }, weights.map_or(0, <[f32]>::len))?;
        if start.checked_add(count).is_none_or(|end| end > self.rows) {
            return Err(TreesError::RowCount { announced: self.rows, pushed: start.saturating_add(count) });
        }
        if count == 0 {
            return Ok(());
        }
        // SAFETY: the data set is live and has room for the rows (checked above); the arrays have one label, one weight
        // (or a null pointer) and `features` values of type `V` for each row; it runs with the threads it was sized for.
        let code = with_threads(self.threads, || unsafe {
            sys::LGBM_DatasetPushRowsWithMetadata(
                self.raw.as_ptr(),
                rows.values().as_ptr().cast(),
                V::CODE,
                count as i32,
                self.features as i32,
                start as i32,
                labels.as_ptr(),
                weights.map_or(ptr::null(), <[f32]>::as_ptr),
                ptr::null(),
                ptr::null(),
                0,
            )
        });
        check("LGBM_DatasetPushRowsWithMetadata", code)
    }

    /// Ends the pushes: the data set can be trained on.
    pub(crate) fn finish(&mut self) -> Result<()> {
        // SAFETY: `self.raw` is a live data set nobody else uses.
        let code = with_threads(self.threads, || unsafe { sys::LGBM_DatasetMarkFinished(self.raw.as_ptr()) });
        check("LGBM_DatasetMarkFinished", code)
    }

    /// Number of rows it was made for.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Number of features.
    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// Whether rows have weights.
    pub(crate) fn is_weighted(&self) -> bool {
        self.weighted
    }
}

impl Drop for DatasetHandle {
    fn drop(&mut self) {
        // SAFETY: the handle is live and owned; boosters that read it borrow it, so none is left. Freeing cannot fail.
        unsafe { sys::LGBM_DatasetFree(self.raw.as_ptr()) };
    }
}

/// An owned booster.
#[derive(Debug)]
struct Booster(NonNull<c_void>);

// SAFETY: a booster is plain memory without ties to the thread that made it. It is not `Sync`: even predictions write to it.
unsafe impl Send for Booster {}

impl Drop for Booster {
    fn drop(&mut self) {
        // SAFETY: the handle is live and owned. Freeing cannot fail.
        unsafe { sys::LGBM_BoosterFree(self.0.as_ptr()) };
    }
}

/// A booster that learns from data sets, which it borrows.
#[derive(Debug)]
pub(crate) struct Trainer<'d> {
    booster: Booster,
    threads: usize,
    data: PhantomData<&'d DatasetHandle>,
}

impl<'d> Trainer<'d> {
    /// A booster without trees.
    pub(crate) fn new(train: &'d DatasetHandle, params: &str, threads: usize) -> Result<Self> {
        let params = c_string("params", params)?;
        let mut raw = ptr::null_mut();
        // SAFETY: the data set is live and outlives the booster (`'d`); the string is NUL-terminated.
        let code = with_threads(threads, || unsafe { sys::LGBM_BoosterCreate(train.raw.as_ptr(), params.as_ptr(), &raw mut raw) });
        check("LGBM_BoosterCreate", code)?;
        Ok(Self { booster: Booster(owned("LGBM_BoosterCreate", raw)?), threads, data: PhantomData })
    }

    /// Adds a data set to evaluate on. It must be aligned to the training set; LightGBM checks it.
    pub(crate) fn add_validation(&mut self, valid: &'d DatasetHandle) -> Result<()> {
        // SAFETY: both handles are live and the data set outlives the booster (`'d`).
        let code = with_threads(self.threads, || unsafe { sys::LGBM_BoosterAddValidData(self.booster.0.as_ptr(), valid.raw.as_ptr()) });
        check("LGBM_BoosterAddValidData", code)
    }

    /// Adds one tree. `false` when no further split is possible.
    pub(crate) fn update(&mut self) -> Result<bool> {
        let mut finished = 0;
        // SAFETY: the booster is live and ours alone, and its data sets are too.
        let code = with_threads(self.threads, || unsafe { sys::LGBM_BoosterUpdateOneIter(self.booster.0.as_ptr(), &raw mut finished) });
        check("LGBM_BoosterUpdateOneIter", code).map(|()| finished == 0)
    }

    /// The metric on the validation set, `None` when no metric is configured.
    pub(crate) fn evaluate(&self) -> Result<Option<f64>> {
        let mut count = 0;
        // SAFETY: the booster is live.
        check("LGBM_BoosterGetEvalCounts", unsafe { sys::LGBM_BoosterGetEvalCounts(self.booster.0.as_ptr(), &raw mut count) })?;
        let mut values = vec![0f64; usize::try_from(count).unwrap_or(0)];
        // SAFETY: the buffer holds as many values as the booster has metrics. Index 1 is the first validation set.
        let code = with_threads(self.threads, || unsafe {
            sys::LGBM_BoosterGetEval(self.booster.0.as_ptr(), 1, &raw mut count, values.as_mut_ptr())
        });
        check("LGBM_BoosterGetEval", code).map(|()| values.first().copied())
    }

    /// The model of the first rounds as text, with gains as importance.
    pub(crate) fn to_text(&self, rounds: u32) -> Result<String> {
        let rounds = c_count("rounds", rounds as usize)?;
        let mut buffer = vec![0u8; 1 << 20];
        loop {
            let (capacity, mut needed) = (buffer.len() as i64, 0i64);
            // SAFETY: the booster is live, and it writes at most `capacity` bytes into the buffer.
            let code = unsafe {
                sys::LGBM_BoosterSaveModelToString(
                    self.booster.0.as_ptr(),
                    0,
                    rounds,
                    sys::C_API_FEATURE_IMPORTANCE_GAIN as c_int,
                    capacity,
                    &raw mut needed,
                    buffer.as_mut_ptr().cast(),
                )
            };
            check("LGBM_BoosterSaveModelToString", code)?;
            if needed <= capacity {
                let text = CStr::from_bytes_until_nul(&buffer).map_err(|error| TreesError::ModelText { problem: error.to_string() })?;
                return text.to_str().map(str::to_owned).map_err(|error| TreesError::ModelText { problem: error.to_string() });
            }
            buffer.resize(usize::try_from(needed).unwrap_or(0), 0);
        }
    }
}

/// What a prediction gives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// One raw score for each row.
    Raw,
    /// One contribution for each feature, then the base value, for each row.
    Contributions,
}

/// A booster read from text, for one caller at a time.
#[derive(Debug)]
pub(crate) struct Predictor {
    booster: Booster,
    features: usize,
}

impl Predictor {
    /// Reads a text model with one output.
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        let text = c_string("model text", text)?;
        let (mut raw, mut rounds, mut features, mut classes) = (ptr::null_mut(), 0, 0, 0);
        // SAFETY: the string is NUL-terminated and outlives the call, which copies what it needs.
        let code = with_threads(1, || unsafe { sys::LGBM_BoosterLoadModelFromString(text.as_ptr(), &raw mut rounds, &raw mut raw) });
        check("LGBM_BoosterLoadModelFromString", code)?;
        let booster = Booster(owned("LGBM_BoosterLoadModelFromString", raw)?);
        // SAFETY: the booster is live.
        check("LGBM_BoosterGetNumFeature", unsafe { sys::LGBM_BoosterGetNumFeature(booster.0.as_ptr(), &raw mut features) })?;
        // SAFETY: the booster is live.
        check("LGBM_BoosterGetNumClasses", unsafe { sys::LGBM_BoosterGetNumClasses(booster.0.as_ptr(), &raw mut classes) })?;
        if classes != 1 {
            return Err(TreesError::ModelText { problem: format!("it has {classes} outputs") });
        }
        Ok(Self { booster, features: usize::try_from(features).unwrap_or(0) })
    }

    /// Predicts rows with this number of threads.
    pub(crate) fn predict<V: Value>(&mut self, rows: Rows<'_, V>, kind: Kind, threads: usize) -> Result<Vec<f64>> {
        TreesError::check_features(self.features, rows.features())?;
        let (row_count, feature_count) = (c_count("rows", rows.len())?, c_count("features", self.features)?);
        let (code, width) = match kind {
            Kind::Raw => (sys::C_API_PREDICT_RAW_SCORE, 1),
            Kind::Contributions => (sys::C_API_PREDICT_CONTRIB, self.features + 1),
        };
        let mut predictions = vec![0f64; rows.len() * width];
        let mut written = 0i64;
        if rows.is_empty() {
            return Ok(predictions);
        }
        // SAFETY: the booster is live and ours alone (`&mut self`); the input has the rows and columns announced, of type
        // `V`; the output has room for what this kind of prediction writes for a model of one output.
        let code = with_threads(threads, || unsafe {
            sys::LGBM_BoosterPredictForMat(
                self.booster.0.as_ptr(),
                rows.values().as_ptr().cast(),
                V::CODE,
                row_count,
                feature_count,
                1,
                code as c_int,
                0,
                -1,
                c"verbosity=-1".as_ptr(),
                &raw mut written,
                predictions.as_mut_ptr(),
            )
        });
        check("LGBM_BoosterPredictForMat", code)?;
        TreesError::check_length("predictions", predictions.len(), usize::try_from(written).unwrap_or(0))?;
        Ok(predictions)
    }

    /// Prepares for scoring single rows of `f32`, LightGBM's fastest way.
    pub(crate) fn fast(&mut self) -> Result<FastRow<'_>> {
        let features = c_count("features", self.features)?;
        let mut raw = ptr::null_mut();
        // SAFETY: the booster is live, and stays so and ours alone for the life of the result.
        let code = with_threads(1, || unsafe {
            sys::LGBM_BoosterPredictForMatSingleRowFastInit(
                self.booster.0.as_ptr(),
                sys::C_API_PREDICT_RAW_SCORE as c_int,
                0,
                -1,
                <f32 as CellType>::CODE,
                features,
                c"verbosity=-1".as_ptr(),
                &raw mut raw,
            )
        });
        check("LGBM_BoosterPredictForMatSingleRowFastInit", code)?;
        let raw = owned("LGBM_BoosterPredictForMatSingleRowFastInit", raw)?;
        Ok(FastRow { raw, features: self.features, booster: PhantomData })
    }

    /// Total gain of the splits of each feature.
    pub(crate) fn gains(&self) -> Result<Vec<f64>> {
        let mut gains = vec![0f64; self.features];
        // SAFETY: the booster is live and writes one value for each of its features.
        let code = unsafe {
            sys::LGBM_BoosterFeatureImportance(self.booster.0.as_ptr(), -1, sys::C_API_FEATURE_IMPORTANCE_GAIN as c_int, gains.as_mut_ptr())
        };
        check("LGBM_BoosterFeatureImportance", code).map(|()| gains)
    }
}

/// A booster prepared for single rows.
#[derive(Debug)]
pub(crate) struct FastRow<'b> {
    raw: NonNull<c_void>,
    features: usize,
    booster: PhantomData<&'b mut Predictor>,
}

impl FastRow<'_> {
    /// The raw score of a row.
    pub(crate) fn score(&mut self, row: &[f32]) -> Result<f64> {
        TreesError::check_features(self.features, row.len())?;
        let (mut written, mut score) = (0i64, 0f64);
        // SAFETY: the configuration is live; the row has the features that it was made for; one score is written.
        let code = unsafe {
            sys::LGBM_BoosterPredictForMatSingleRowFast(self.raw.as_ptr(), row.as_ptr().cast(), &raw mut written, &raw mut score)
        };
        check("LGBM_BoosterPredictForMatSingleRowFast", code).map(|()| score)
    }
}

impl Drop for FastRow<'_> {
    fn drop(&mut self) {
        // SAFETY: the configuration was made by LightGBM and is freed once.
        unsafe { sys::LGBM_FastConfigFree(self.raw.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_belongs_to_the_caller_and_to_the_call() {
        let before = omp_get_max_threads();
        let elsewhere = || std::thread::scope(|scope| scope.spawn(|| omp_get_max_threads()).join().unwrap());
        let (inside, other) = with_threads(7, || (omp_get_max_threads(), elsewhere()));
        assert_eq!((inside, other, omp_get_max_threads()), (7, before, before));
        assert_eq!(with_threads(0, || omp_get_max_threads()), 1);
    }
}
