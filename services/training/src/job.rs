//! The training job: trains, compares, registers. Everything that it learns is of the rows and the request.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::training::{Model, TrainModelRequest};
use lake::Lake;
use panel::Catalogue;
use service_kit::operations::JobProgress;
use trees::manifest::{Manifest, text_digest};
use trees::signature::SigningKey;
use trees::{Round, TreesError, fingerprint};

use crate::alarms::{self, Alarm};
use crate::crew::{self, Meeting, Place};
use crate::error::TrainingError;
use crate::evaluate::Figure;
use crate::learn::Kind;
use crate::registry::{Artifact, Registry};
use crate::report::{CAUTION, Lineage, Report, Section, notes};
use crate::search::{self, Log, Trial};
use crate::setup::Setup;
use crate::split::Protocol;
use crate::study::{self, Plan, Study};
use crate::{Settings, card};

/// How often processes that train together start over when one is lost.
const ATTEMPTS: u32 = 3;

/// A training.
pub struct Training<'a> {
    /// Where everything is.
    pub lake: &'a Lake,
    /// The features.
    pub catalogue: &'a Catalogue,
    /// Threads and sizes.
    pub settings: &'a Settings,
    /// What signs the models, if anything.
    pub key: Option<&'a SigningKey>,
    /// Where workers come.
    pub meeting: &'a Meeting,
}

impl Training<'_> {
    /// Trains as asked and registers the model.
    pub async fn run(&self, request: &TrainModelRequest, progress: &JobProgress) -> Result<Model, TrainingError> {
        let setup = Arc::new(Setup::of(self.lake, self.catalogue, self.settings, request).await?);
        let stop = Stop::default();
        let mut attempt = 1;
        let (report, study) = loop {
            let place = if setup.asked.processes > 1 {
                progress.set(0, 0, "", "waiting for workers");
                let own = crew::address(self.settings.host)?;
                Some(self.meeting.gather(request, &setup.fingerprint()?, own, setup.asked.processes).await?)
            } else {
                None
            };
            let work = Work { lake: self.lake.clone(), setup: setup.clone(), place, progress: progress.clone(), stopped: stop.0.clone() };
            let done = tokio::task::spawn_blocking(move || work.run()).await.map_err(|error| TrainingError::Task(error.to_string()))?;
            match done {
                Err(TrainingError::Trees(error @ (TreesError::LightGbm { .. } | TreesError::Network { .. })))
                    if setup.asked.processes > 1 =>
                {
                    tracing::warn!(attempt, %error, "a process that trained with this one is lost");
                    if attempt == ATTEMPTS {
                        return Err(TrainingError::Workers(format!("lost one {ATTEMPTS} times; the last time: {error}")));
                    }
                    attempt += 1;
                }
                done => break done?,
            }
        };
        self.register(request, &setup, (report, study), progress).await
    }

    async fn register(
        &self,
        request: &TrainModelRequest,
        setup: &Setup,
        (report, study): (Report, Study),
        progress: &JobProgress,
    ) -> Result<Model, TrainingError> {
        let asked = &setup.asked;
        let text = study.first.text.ok_or_else(|| TrainingError::NotServable(asked.kind.name()))?;
        let manifest = Manifest {
            kind: asked.kind.name().to_owned(),
            protocol: asked.protocol.name().to_owned(),
            batch: asked.batch.to_string(),
            features_version: report.lineage.features_version,
            schema_hash: self.catalogue.schema_hash().to_owned(),
            features: self.catalogue.features().iter().map(|feature| feature.name.clone()).collect(),
            params: report.lineage.params.clone(),
            trees: trees::Model::from_text(text.clone())?.trees(),
            calibration: study.calibration,
            uncertainty: study.uncertainty,
            moderate: study.thresholds.moderate,
            high: study.thresholds.high,
            capacity: study.capacity,
            feedback: report.lineage.feedback.clone(),
            text_sha256: text_digest(&text),
            report_sha256: text_digest(&report.json()?),
            code_version: report.lineage.code_version.clone(),
        };
        let id = manifest.id().map_err(|source| TrainingError::Document { what: "model.json".into(), source })?;
        let card = card::render(&format!("Model card {id}"), &report, Some(&manifest));
        let registry = Registry { lake: self.lake, catalogue: self.catalogue };
        let registered = registry.add(&id, Artifact { text, manifest, report, card }, self.key).await?;
        match registry.champion_id().await? {
            None if request.promote_if_none => return registry.promote_first(&id).await,
            // So that a promotion need not wait for it; one that finds none holds it.
            Some(champion) if champion != id => {
                progress.set(0, 0, "", "the same rows, scored by the champion");
                if let Err(error) = registry.contest(&id, &champion, &setup.asked.feedback).await {
                    tracing::warn!(model = id, champion, %error, "not compared with the champion yet: its promotion will try again");
                }
            }
            _ => {}
        }
        Ok(registered)
    }
}

/// Stops what computes when the job is over: one that is cancelled, or lost to another process, must not keep its cores.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The part of a training that computes, on a thread of its own.
struct Work {
    lake: Lake,
    setup: Arc<Setup>,
    place: Option<Place>,
    progress: JobProgress,
    /// Whether nobody waits for it any more.
    stopped: Arc<AtomicBool>,
}

impl Work {
    fn go_on(&self) -> ControlFlow<()> {
        if self.stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Searches if asked to, then measures every split; the model of the first is the one that is kept.
    fn run(&self) -> Result<(Report, Study), TrainingError> {
        let (lineage, trials) = self.search()?;
        // The registered kind first, then the others on the same rows; further origins of rolling measure it alone, and
        // processes that train together have nobody's rows whole to compare on.
        let kind = self.setup.asked.kind;
        let every: Vec<Kind> = std::iter::once(kind).chain(Kind::ALL.into_iter().filter(|other| *other != kind)).collect();
        let (mut sections, mut kept) = (Vec::new(), None);
        for (at, split) in self.setup.splits.iter().enumerate() {
            let further = at > 0 && split.protocol == Protocol::Rolling;
            let place = self.place.as_ref().filter(|_| at == 0);
            let kinds = if further || place.is_some() { &every[..1] } else { &every };
            let plan = Plan {
                hazard: at == 0 && place.is_none() && split.protocol != Protocol::Lenient,
                ..self.setup.plan(split, kinds, &lineage.params, place)
            };
            let mut told = |kind: Kind, round: Option<Round>| {
                let (done, of) = round.map_or((0, 0), |round| (round.round.into(), round.of.into()));
                self.progress.set(done, of, "trees", &format!("{}, {}", split.protocol.name(), kind.name()));
                self.go_on()
            };
            let study = study::run(&self.setup.source, &plan, &mut told)?;
            sections.push(study.section.clone());
            if kept.is_none() {
                self.progress.set(0, 0, "", "effects and breakdowns");
                kept = Some((study.details(&plan)?, study));
            }
        }
        let (details, study) = kept.ok_or(TrainingError::NothingToMeasure("test"))?;
        let report = Report {
            caution: CAUTION.to_owned(),
            lineage,
            notes: notes(&sections),
            alarms: details.alarms.into_iter().chain(jumps(&sections)).collect(),
            sections,
            breakdown: details.breakdown,
            effects: details.effects,
            hardly_known: details.hardly_known,
            search: trials,
            learning_curve: learning_curve(&study),
        };
        Ok((report, study))
    }

    /// The lineage with the best parameters of a search on the first split, if one is asked for. What it has tried is kept in
    /// a pointer, named by all that decides it.
    fn search(&self) -> Result<(Lineage, Vec<Trial>), TrainingError> {
        let setup = &self.setup;
        let lineage = setup.lineage.clone();
        let (Some(budget), Some(split)) = (setup.asked.search, setup.splits.first()) else { return Ok((lineage, vec![])) };
        let (params, runtime) = (&lineage.params, &setup.source.runtime);
        let name = format!("searches/{}", fingerprint(&(&lineage, split, budget.candidates))?);
        let pointers = self.lake.pointers();
        let log: Log = runtime.block_on(pointers.read::<Log>(&name))?.map(|(log, _)| log).unwrap_or_default();
        let plan = setup.plan(split, &[], params, None);
        let prepared = plan.prepare(&setup.source)?;
        let mut save = |log: &Log| Ok(runtime.block_on(pointers.set(&name, log))?);
        let mut told = |done: u32, of: u32| {
            self.progress.set(done.into(), of.into(), "candidates", "search");
            self.go_on()
        };
        let found = search::search(&prepared, params, budget, log, &mut save, &mut told)?;
        Ok((Lineage { params: found.params, ..lineage }, found.trials))
    }
}

/// The metric on validation after each round.
pub(crate) fn learning_curve(study: &Study) -> Vec<(u32, f64)> {
    study.first.history.iter().filter_map(|round| Some((round.round, round.metric?))).collect()
}

/// Alarms on the first model's AUC under other protocols.
fn jumps(sections: &[Section]) -> Vec<Alarm> {
    let auc = |section: &Section| section.models.first()?.worth.figures.get(&Figure::Auc).copied();
    let Some((first, others)) = sections.split_first() else { return Vec::new() };
    let Some(honest) = auc(first) else { return Vec::new() };
    others.iter().filter_map(|section| alarms::between(&honest, section.protocol, &auc(section)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_nobody_waits_for_any_more_is_told_to_stop() {
        let stop = Stop::default();
        let stopped = stop.0.clone();
        assert!(!stopped.load(Ordering::Relaxed));
        drop(stop);
        assert!(stopped.load(Ordering::Relaxed), "a cancelled job drops its future, and this with it");
    }
}
