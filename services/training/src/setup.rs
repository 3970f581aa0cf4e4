//! What a request means: checked, and bound to the rows of its batch. The job and its workers read it the same way.

use std::time::Duration;

use api::training::TrainModelRequest;
use domain::{BatchKey, Month};
use lake::Lake;
use panel::Catalogue;
use tokio::runtime::Handle;
use trees::metrics::Bootstrap;
use trees::{Params, fingerprint};

use crate::Settings;
use crate::crew::Place;
use crate::error::TrainingError;
use crate::feedback::Feedback;
use crate::learn::{self, FeatureRoles, Kind};
use crate::offline::{self, Offline};
use crate::report::Lineage;
use crate::scored::Facets;
use crate::search::Budget;
use crate::split::{Protocol, Split};
use crate::study::Plan;

/// Candidates of a search, at most.
const MOST_CANDIDATES: u32 = 243;
/// Processes that train together, at most.
const MOST_WORKERS: u32 = 64;

/// What a request asks for, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Batch to learn from.
    pub batch: BatchKey,
    /// Protocol of the registered model.
    pub protocol: Protocol,
    /// Further protocols of the report.
    pub compare: Vec<Protocol>,
    /// Kind of the registered model.
    pub kind: Kind,
    /// Parameters over the defaults, sorted by name.
    pub parameters: Vec<(String, String)>,
    /// How much is searched around them.
    pub search: Option<Budget>,
    /// What agents did and said.
    pub feedback: Feedback,
    /// Processes that train together; 1 for one alone.
    pub processes: usize,
}

impl Asked {
    /// Reads a request; fails on the first thing that it cannot mean.
    pub fn of(request: &TrainModelRequest) -> Result<Self, TrainingError> {
        let protocol = |name: &str| Protocol::parse(name).ok_or_else(|| TrainingError::UnknownProtocol(name.to_owned()));
        let kind = Kind::parse(&request.model).ok_or_else(|| TrainingError::UnknownKind(request.model.clone()))?;
        if !kind.is_servable() {
            return Err(TrainingError::NotServable(kind.name()));
        }
        if request.workers > MOST_WORKERS {
            return Err(TrainingError::External(format!("{} workers are more than {MOST_WORKERS}", request.workers)));
        }
        if request.workers > 1 && request.search > 0 {
            let why = "a search is of one process: search first, then train with its parameters and several workers";
            return Err(TrainingError::External(why.to_owned()));
        }
        let mut parameters: Vec<(String, String)> = request.parameters.clone().into_iter().collect();
        parameters.sort();
        learn::params(&FeatureRoles::default(), 1, &parameters)?.check(usize::MAX, &[])?;
        Ok(Self {
            batch: request.batch.parse().map_err(|_| TrainingError::External(format!("'{}' is not a batch key", request.batch)))?,
            protocol: protocol(&request.protocol)?,
            compare: request.compare.iter().map(|name| protocol(name)).collect::<Result<_, _>>()?,
            kind,
            parameters,
            search: (request.search > 0).then(|| Budget {
                candidates: request.search.min(MOST_CANDIDATES),
                time: (request.search_seconds > 0).then(|| Duration::from_secs(request.search_seconds.into())),
            }),
            feedback: Feedback::of(&request.feedback)?,
            processes: request.workers.max(1) as usize,
        })
    }
}

/// A request bound to the rows of its batch.
pub struct Setup {
    /// What was asked.
    pub asked: Asked,
    /// Where the data come from, and the parameters.
    pub lineage: Lineage,
    /// The splits to measure, the one of the registered model first.
    pub splits: Vec<Split>,
    /// The rows.
    pub source: Offline,
    /// What learning needs to know of the features.
    pub roles: FeatureRoles,
    facets: Facets,
    step: u32,
    capacity: u32,
}

impl Setup {
    /// Finds the rows of a request.
    pub async fn of(lake: &Lake, catalogue: &Catalogue, settings: &Settings, request: &TrainModelRequest) -> Result<Self, TrainingError> {
        let mut asked = Asked::of(request)?;
        if asked.compare.is_empty() {
            asked.compare = settings.protocols()?;
        }
        let rows = offline::table(lake).snapshot(asked.batch).await?;
        let features_version = rows.version().ok_or(TrainingError::NoFeatures(asked.batch))?;
        let (first, known) = offline::months(&rows).await?.ok_or(TrainingError::NoOutcomes(asked.batch))?;
        let roles = roles(catalogue);
        let lineage = Lineage {
            data: format!("batch {}", asked.batch),
            features_version,
            schema_hash: catalogue.schema_hash().to_owned(),
            params: learn::params(&roles, settings.threads, &asked.parameters)?,
            feedback: asked.feedback.digest().to_owned(),
            training_month_step: settings.training_month_step,
            processes: asked.processes,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let names = catalogue.features().iter().map(|feature| feature.name.clone()).collect();
        Ok(Self {
            splits: splits(asked.protocol, &asked.compare, first, known)?,
            source: Offline { rows, features: names, runtime: Handle::current() },
            facets: facets(catalogue),
            roles,
            lineage,
            step: settings.training_month_step,
            capacity: settings.capacity,
            asked,
        })
    }

    /// Hash of all that decides the rows and the trees of the registered model: processes that train together must agree.
    pub fn fingerprint(&self) -> Result<String, TrainingError> {
        Ok(fingerprint(&(&self.lineage, self.splits.first(), self.step))?)
    }

    /// The plan of one of the splits.
    pub fn plan<'a>(&'a self, split: &Split, kinds: &'a [Kind], params: &'a Params, place: Option<&'a Place>) -> Plan<'a> {
        Plan {
            split: *split,
            step: self.step,
            feedback: &self.asked.feedback,
            kinds,
            roles: &self.roles,
            facets: self.facets,
            params,
            bootstrap: Bootstrap::default(),
            hazard: false,
            capacity: self.capacity,
            place,
        }
    }
}

fn splits(protocol: Protocol, compare: &[Protocol], first: Month, known: Month) -> Result<Vec<Split>, TrainingError> {
    let mut splits = Vec::new();
    let others = compare.iter().copied().filter(|other| *other != protocol);
    for protocol in std::iter::once(protocol).chain(others) {
        match protocol {
            Protocol::Rolling => splits.extend(Split::origins(first, known)?),
            protocol => splits.push(Split::new(protocol, first, known)?),
        }
    }
    Ok(splits)
}

/// What learning needs to know of the catalogue.
fn roles(catalogue: &Catalogue) -> FeatureRoles {
    let features = catalogue.features();
    let ratio = ["debt_ratio", "debt_ratio_lag1", "debt_ratio_lag2"].map(|name| catalogue.index_of(name));
    FeatureRoles {
        categorical: (0..features.len()).filter(|position| features[*position].is_categorical()).collect(),
        monotone: features.iter().map(|feature| feature.monotone).collect(),
        debt_ratio: ratio.into_iter().flatten().collect(),
    }
}

/// What figures are broken down by.
fn facets(catalogue: &Catalogue) -> Facets {
    Facets {
        headcount: catalogue.index_of("headcount"),
        naf_division: catalogue.index_of("naf_division"),
        department: catalogue.index_of("department"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> TrainModelRequest {
        TrainModelRequest { batch: "2511".into(), ..Default::default() }
    }

    #[test]
    fn a_request_is_refused_for_what_it_cannot_mean() {
        assert_eq!(Asked::of(&request()).unwrap().protocol, Protocol::Holdout);
        let wrong = [
            TrainModelRequest { batch: "25-11".into(), ..request() },
            TrainModelRequest { protocol: "fair".into(), ..request() },
            TrainModelRequest { compare: vec!["fair".into()], ..request() },
            TrainModelRequest { model: "logistic".into(), ..request() },
            TrainModelRequest { parameters: [("leaves".to_owned(), "3".to_owned())].into(), ..request() },
            TrainModelRequest { parameters: [("num_leaves".to_owned(), "1".to_owned())].into(), ..request() },
            TrainModelRequest { workers: 1_000, ..request() },
            TrainModelRequest { workers: 2, search: 9, ..request() },
        ];
        for request in wrong {
            assert!(Asked::of(&request).is_err(), "{request:?}");
        }
    }

    #[test]
    fn the_protocol_asked_for_comes_first_and_only_once() {
        let month = |text: &str| text.parse().unwrap();
        let found = splits(Protocol::Holdout, &[Protocol::Lenient, Protocol::Holdout], month("2016-01"), month("2025-10")).unwrap();
        assert_eq!(found.iter().map(|split| split.protocol).collect::<Vec<_>>(), [Protocol::Holdout, Protocol::Lenient]);
    }
}
