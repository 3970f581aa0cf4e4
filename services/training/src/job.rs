//! The training job: reads the frame, trains, compares with the other models on the same rows, registers.

use std::ops::ControlFlow;

use api::training::{Evaluation, Model, Split as ApiSplit, TrainModelRequest};
use domain::BatchKey;
use futures::TryStreamExt;
use lake::Lake;
use lake::tables::DynamicTable;
use panel::Catalogue;
use service_kit::operations::JobProgress;
use trees::calibration::Calibration;
use trees::manifest::{Manifest, text_digest};

use crate::Settings;
use crate::card::{self, Card};
use crate::error::TrainingError;
use crate::frame::{Block, Frame};
use crate::learn::{self, FeatureRoles, Kind, Measured};
use crate::registry::{Artifact, Registry};
use crate::split::{Protocol, Split};

/// A training.
pub struct Training<'a> {
    /// Where everything is.
    pub lake: &'a Lake,
    /// The features.
    pub catalogue: &'a Catalogue,
    /// Threads and sizes.
    pub settings: &'a Settings,
}

impl Training<'_> {
    /// Trains as asked and registers the model.
    pub async fn run(&self, request: &TrainModelRequest, progress: &JobProgress) -> Result<Model, TrainingError> {
        let protocol = Protocol::parse(&request.protocol).ok_or_else(|| TrainingError::UnknownProtocol(request.protocol.clone()))?;
        let kind = Kind::parse(&request.model).ok_or_else(|| TrainingError::UnknownKind(request.model.clone()))?;
        let batch: BatchKey =
            request.batch.parse().map_err(|_| TrainingError::External(format!("'{}' is not a batch key", request.batch)))?;
        let table = DynamicTable::new(self.lake, "features", std::sync::Arc::new(arrow::datatypes::Schema::empty()));
        if !table.batches().await?.contains(&batch) {
            return Err(TrainingError::NoFeatures(batch));
        }
        let version = table.version().await?.unwrap_or_default();
        let (first, last) = self.months(&table, batch).await?;
        let splits = match protocol {
            Protocol::Rolling => Split::origins(first, last)?,
            protocol => vec![Split::new(protocol, first, last)?],
        };
        let mut measured = Vec::new();
        for (origin, split) in splits.iter().enumerate() {
            let frame = self.frame(&table, batch, *split).await?;
            let (roles, threads) = (roles(self.catalogue), self.settings.threads);
            let progress = progress.clone();
            // The registered kind first, then the others on the same rows; earlier origins of rolling measure it alone.
            let kinds: Vec<Kind> = if origin == 0 {
                std::iter::once(kind).chain(Kind::ALL.into_iter().filter(|other| *other != kind)).collect()
            } else {
                vec![kind]
            };
            let learnt = tokio::task::spawn_blocking(move || compare(&frame, &roles, &kinds, threads, &progress));
            let (block, models) = learnt.await.map_err(|error| TrainingError::Task(error.to_string()))??;
            measured.push((*split, block, models));
        }
        self.register(request, protocol, batch, version, measured).await
    }

    /// First and last months of the features.
    async fn months(&self, table: &DynamicTable, batch: BatchKey) -> Result<(domain::Month, domain::Month), TrainingError> {
        let mut scan = table.scan(batch, None, Some(&["month"])).await?;
        let mut first = None;
        while let Some(rows) = scan.try_next().await? {
            let months = arrow::array::AsArray::as_primitive_opt::<arrow::datatypes::Date32Type>(rows.column(0).as_ref())
                .ok_or(TrainingError::Frame("month"))?;
            first = arrow::compute::min(months).into_iter().chain(first).min();
        }
        let first = first.and_then(crate::frame::month_of).ok_or(TrainingError::NoFeatures(batch))?;
        Ok((first, batch.last_month()))
    }

    async fn frame(&self, table: &DynamicTable, batch: BatchKey, split: Split) -> Result<Frame, TrainingError> {
        let names = self.catalogue.features().iter().map(|feature| feature.name.clone()).collect();
        let mut frame = Frame::new(names, split, self.settings.training_month_step);
        let mut scan = table.scan(batch, None, None).await?;
        while let Some(rows) = scan.try_next().await? {
            frame.add(&rows)?;
        }
        frame.check()?;
        Ok(frame)
    }

    async fn register(
        &self,
        request: &TrainModelRequest,
        protocol: Protocol,
        batch: BatchKey,
        features_version: i64,
        measured: Vec<(Split, Sizes, Vec<Measured>)>,
    ) -> Result<Model, TrainingError> {
        let mut origins = measured.into_iter();
        let Some((split, sizes, mut models)) = origins.next() else { return Err(TrainingError::NothingToMeasure("test")) };
        if models.is_empty() {
            return Err(TrainingError::NothingToMeasure("test"));
        }
        let main = models.remove(0);
        let mut evaluations: Vec<Evaluation> = std::iter::once(&main).chain(&models).map(|measured| measured.evaluation.clone()).collect();
        for (split, _, models) in origins {
            evaluations.extend(models.into_iter().map(|measured| Evaluation {
                model: format!("{} (test to {})", measured.evaluation.model, split.test.to),
                ..measured.evaluation
            }));
        }
        let candidate = main.candidate;
        let text = candidate.text.clone().ok_or_else(|| TrainingError::NotServable(candidate.kind.name()))?;
        let manifest = Manifest {
            kind: candidate.kind.name().to_owned(),
            protocol: protocol.name().to_owned(),
            batch: batch.to_string(),
            features_version,
            schema_hash: self.catalogue.schema_hash().to_owned(),
            features: self.catalogue.features().iter().map(|feature| feature.name.clone()).collect(),
            params: candidate.params.clone(),
            trees: trees::Model::from_text(text.clone())?.trees(),
            calibration: candidate.calibration.clone(),
            moderate: candidate.thresholds.moderate,
            high: candidate.thresholds.high,
            text_sha256: text_digest(&text),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let document = |source| TrainingError::Document { what: "model.json".into(), source };
        let id = manifest.id().map_err(document)?;
        let model = Model {
            id: id.clone(),
            state: String::new(),
            kind: manifest.kind.clone(),
            protocol: manifest.protocol.clone(),
            batch: manifest.batch.clone(),
            schema_hash: manifest.schema_hash.clone(),
            created_at: String::new(),
            thresholds: Some(candidate.thresholds),
            evaluations,
            split: Some(sizes.describe(&split)),
            calibration: match candidate.calibration {
                Calibration::Isotonic(_) => "isotonic",
                Calibration::Beta(_) => "beta",
            }
            .to_owned(),
        };
        let importance = importance(&text, &manifest.features)?;
        let card = card::render(&Card { model: &model, reliability: &main.reliability, importance: &importance });
        let manifest = serde_json::to_vec_pretty(&manifest).map_err(document)?;
        let registry = Registry { lake: self.lake };
        let registered = registry.add(&id, Artifact { text, manifest, model, card }).await?;
        if request.promote_if_none && registry.champion_id().await?.is_none() {
            return registry.promote(&id).await;
        }
        Ok(registered)
    }
}

/// Rows and failures of each role.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    train: (u64, u64),
    validation: (u64, u64),
    test: (u64, u64),
}

impl Sizes {
    fn of(frame: &Frame) -> Self {
        let size = |block: &Block| (block.len() as u64, block.positives() as u64);
        Self { train: size(&frame.train), validation: size(&frame.validation), test: size(&frame.test) }
    }

    fn describe(&self, split: &Split) -> ApiSplit {
        ApiSplit {
            train_from: split.train.from.to_string(),
            train_to: split.train.to.to_string(),
            validation_from: split.validation.from.to_string(),
            validation_to: split.validation.to.to_string(),
            test_from: split.test.from.to_string(),
            test_to: split.test.to.to_string(),
            train_rows: self.train.0,
            validation_rows: self.validation.0,
            test_rows: self.test.0,
            train_positives: self.train.1,
            validation_positives: self.validation.1,
            test_positives: self.test.1,
        }
    }
}

/// Trains and measures each kind on the same rows. A kind other than the first that cannot be fitted is left out, loudly.
fn compare(
    frame: &Frame,
    roles: &FeatureRoles,
    kinds: &[Kind],
    threads: u32,
    progress: &JobProgress,
) -> Result<(Sizes, Vec<Measured>), TrainingError> {
    let params = learn::default_params(roles, threads);
    let mut measured = Vec::new();
    for (position, kind) in kinds.iter().enumerate() {
        let mut told = |round: trees::Round| {
            progress.set(round.round.into(), round.of.into(), "trees", kind.name());
            ControlFlow::Continue(())
        };
        progress.set(0, 0, "", kind.name());
        match learn::fit(*kind, frame, roles, &params, &mut told).and_then(|candidate| learn::measure(candidate, frame)) {
            Ok(model) => measured.push(model),
            Err(error) if position > 0 => tracing::warn!(kind = kind.name(), %error, "left out of the comparison"),
            Err(error) => return Err(error),
        }
    }
    Ok((Sizes::of(frame), measured))
}

/// What learning needs to know of the catalogue.
pub fn roles(catalogue: &Catalogue) -> FeatureRoles {
    let features = catalogue.features();
    let ratio = ["debt_ratio", "debt_ratio_lag1", "debt_ratio_lag2"].map(|name| catalogue.index_of(name));
    FeatureRoles {
        categorical: (0..features.len()).filter(|position| features[*position].is_categorical()).collect(),
        monotone: features.iter().map(|feature| feature.monotone).collect(),
        debt_ratio: ratio.into_iter().flatten().collect(),
    }
}

/// Features by gain, strongest first.
fn importance(text: &str, names: &[String]) -> Result<Vec<(String, f64)>, TrainingError> {
    let gains = trees::Model::from_text(text)?.feature_importance()?;
    let mut importance: Vec<(String, f64)> = names.iter().cloned().zip(gains).collect();
    importance.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(importance)
}
