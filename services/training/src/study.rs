//! One protocol at one origin: prepares its rows, fits every kind, scores the rest, measures. Pure but for its source.

use std::ops::ControlFlow;

use trees::calibration::{Calibration, VennAbers};
use trees::manifest::Capacity;
use trees::metrics::{Bootstrap, Ranked};
use trees::{Model, Network, Params, Round, TOO_UNKNOWN};

use crate::alarms::{self, Alarm};
use crate::breakdown::{self, Part};
use crate::capacity;
use crate::crew::{PATIENCE, Place, SILENCE};
use crate::effects::{self, Effect};
use crate::error::TrainingError;
use crate::evaluate;
use crate::feedback::Feedback;
use crate::hazard;
use crate::learn::{self, FeatureRoles, Fitted, Kind, Thresholds};
use crate::prepare::{self, Prepared, Use};
use crate::report::{Calibrated, Evaluated, Section};
use crate::rows::Source;
use crate::scored::{self, Facets, Scores};
use crate::split::Split;

/// What to do.
pub struct Plan<'a> {
    /// Which rows are on which side.
    pub split: Split,
    /// Training keeps one time in this many.
    pub step: u32,
    /// Rows that count less, more or not at all.
    pub feedback: &'a Feedback,
    /// What is fitted, the one that matters first.
    pub kinds: &'a [Kind],
    /// What learning needs to know of the features.
    pub roles: &'a FeatureRoles,
    /// What figures are broken down by.
    pub facets: Facets,
    /// Parameters of the boosting; its seed and threads are those of every kind.
    pub params: &'a Params,
    /// How intervals are made.
    pub bootstrap: Bootstrap,
    /// Whether the hazard is fitted besides.
    pub hazard: bool,
    /// Companies that a department can follow at once.
    pub capacity: u32,
    /// The place among processes that train together. Then only the first kind is fitted, one that can be served, and `kinds` names nothing else.
    pub place: Option<&'a Place>,
}

/// What a study finds.
pub struct Study {
    /// Its figures.
    pub section: Section,
    /// The first model.
    pub first: Fitted,
    /// From its log-odds to probabilities.
    pub calibration: Calibration,
    /// Its thresholds.
    pub thresholds: Thresholds,
    /// How sure its probabilities are.
    pub uncertainty: VennAbers,
    /// Its thresholds by department.
    pub capacity: Option<Capacity>,
    /// Test rows with its probabilities.
    pub test: Tested,
    prepared: Prepared,
}

/// Test rows with the probabilities of the first model.
pub struct Tested {
    /// The rows, with raw scores.
    pub scores: Scores,
    /// The first model's probabilities.
    pub probabilities: Vec<f64>,
}

/// A closer look at the first model of a study.
pub struct Details {
    /// Figures on parts of the test rows.
    pub breakdown: Vec<Part>,
    /// What each feature does.
    pub effects: Vec<Effect>,
    /// Alarms on its features.
    pub alarms: Vec<Alarm>,
    /// Share of the test rows of which too little is known.
    pub hardly_known: Option<f64>,
}

/// Told of what is being done, and may cancel.
pub type Progress<'a> = dyn FnMut(Kind, Option<Round>) -> ControlFlow<()> + 'a;

impl Plan<'_> {
    fn used(&self) -> Use<'_> {
        Use { split: &self.split, step: self.step, feedback: self.feedback, place: self.place }
    }

    /// Joins the other processes, if there are any: data sets and models of this thread are common from then on.
    fn join(&self) -> Result<Option<Network>, TrainingError> {
        Ok(self.place.map(|place| Network::join(&place.machines, place.rank, PATIENCE, SILENCE)).transpose()?)
    }

    /// The rows to fit on.
    pub fn prepare(&self, source: &dyn Source) -> Result<Prepared, TrainingError> {
        prepare::prepare(source, self.used(), &self.roles.categorical, self.params.seed.into(), self.params.threads)
    }
}

/// The part of a worker: grows the trees of the first model with the others, and leaves the rest to the process that runs the
/// job, which has the same trees.
pub fn assist(source: &dyn Source, plan: &Plan<'_>) -> Result<(), TrainingError> {
    let network = plan.join()?;
    let prepared = plan.prepare(source)?;
    let kind = plan.kinds.first().copied().ok_or(TrainingError::NothingToMeasure("train"))?;
    learn::fit(kind, &prepared, plan.roles, plan.params, network.as_ref(), &mut |_| ControlFlow::Continue(()))?;
    Ok(())
}

/// Runs a plan. A kind other than the first that cannot be fitted is left out, and said to be.
pub fn run(source: &dyn Source, plan: &Plan<'_>, progress: &mut Progress<'_>) -> Result<Study, TrainingError> {
    let used = plan.used();
    let network = plan.join()?;
    let prepared = plan.prepare(source)?;
    let (mut fitted, mut left_out) = (Vec::new(), Vec::new());
    for (at, &kind) in plan.kinds.iter().enumerate() {
        if progress(kind, None).is_break() {
            return Err(TrainingError::Cancelled);
        }
        match learn::fit(kind, &prepared, plan.roles, plan.params, network.as_ref(), &mut |round| progress(kind, Some(round))) {
            Ok(model) => fitted.push(model),
            Err(TrainingError::Trees(trees::TreesError::Cancelled { .. })) => return Err(TrainingError::Cancelled),
            Err(error) if at > 0 => left_out.push((kind, error.to_string())),
            Err(error) => return Err(error),
        }
    }
    drop(network);
    let mut hazard = None;
    if plan.hazard {
        let mut told = |round| progress(Kind::Hazard, Some(round));
        match hazard::fit(source, used, &plan.roles.categorical, plan.params, &mut told) {
            Ok(fitted) => hazard = Some(fitted),
            Err(TrainingError::Trees(trees::TreesError::Cancelled { .. })) => return Err(TrainingError::Cancelled),
            Err(error) => left_out.push((Kind::Hazard, error.to_string())),
        }
    }
    let scorers: Vec<&dyn trees::Scorer> = fitted.iter().map(|model| model.scorer.as_ref()).collect();
    let [validation, test] = scored::score(source, used, plan.facets, &scorers, hazard.as_ref(), plan.params.seed.into())?;
    let labels = validation.labels();
    let (mut models, mut chosen) = (Vec::new(), None);
    for (at, model) in fitted.iter().enumerate() {
        let choice = learn::calibrate(&validation.rows, &validation.raw[at])?;
        let probabilities = |raw: &[f64]| raw.iter().map(|score| choice.calibration.apply(*score)).collect::<Vec<f64>>();
        let validated = probabilities(&validation.raw[at]);
        let thresholds = learn::thresholds(&labels, &validated)?;
        let tested = probabilities(&test.raw[at]);
        let worth = evaluate::worth(&test.rows, &tested, &thresholds, &plan.bootstrap)?;
        let first = chosen.as_ref().map(|(_, _, first, _): &(_, _, Vec<f64>, _)| first);
        let lead = first
            .map(|first| evaluate::lead(&test.rows, [first, &tested], Ranked::average_precision, &plan.bootstrap))
            .transpose()?
            .flatten();
        models.push(Evaluated { kind: model.kind, calibration: Calibrated::from(&choice), thresholds, worth, first_leads_by: lead });
        if chosen.is_none() {
            let capacity = capacity::thresholds(&validation.rows, &validated, plan.capacity);
            chosen = Some((choice.calibration, thresholds, tested, capacity));
        }
    }
    let (calibration, thresholds, probabilities, capacity) = chosen.ok_or(TrainingError::NothingToMeasure("test"))?;
    let uncertainty = learn::uncertainty(&validation.rows, validation.raw.first().map_or(&[], Vec::as_slice))?;
    let raw = test.raw.first().map_or(&[][..], Vec::as_slice);
    let intervals: Vec<(f64, f64)> = raw.iter().map(|raw| uncertainty.interval(*raw)).collect();
    let section = Section {
        intervals: Some(evaluate::intervals(&test.rows, raw, &probabilities, &intervals)),
        protocol: plan.split.protocol,
        split: plan.split,
        sides: Section::sides(&prepared.sizes),
        failing_entities: prepared.sizes.failing_entities,
        rows_left_out: prepared.sizes.left_out,
        models,
        horizons: if test.within.is_empty() { vec![] } else { hazard::worth(&test.rows, &test.within, &plan.split)? },
        capacity: capacity.as_ref().map(|capacity| capacity::worth(&test.rows, &probabilities, capacity)),
        left_out,
    };
    let first = fitted.into_iter().next().ok_or(TrainingError::NothingToMeasure("test"))?;
    Ok(Study { section, first, calibration, thresholds, uncertainty, capacity, test: Tested { scores: test, probabilities }, prepared })
}

impl Study {
    /// Looks closer at the first model. Its features are only looked at when it has trees to look into.
    pub fn details(&self, plan: &Plan<'_>) -> Result<Details, TrainingError> {
        let breakdown = breakdown::breakdown(&self.test.scores.rows, &self.test.probabilities, &self.thresholds, &plan.bootstrap)?;
        let (Some(text), Some(test)) = (&self.first.text, &self.test.scores.sample) else {
            return Ok(Details { breakdown, effects: vec![], alarms: vec![], hardly_known: None });
        };
        let model = Model::from_text(text.clone())?;
        let effects = effects::effects(&model, &plan.roles.categorical, &self.prepared.sample, test)?;
        let alarms = alarms::on_features(&effects);
        let little = test.rows()?.into_iter().filter(|row| model.known(row) < TOO_UNKNOWN).count();
        let hardly_known = Some(little as f64 / test.labels.len().max(1) as f64);
        Ok(Details { breakdown, effects, alarms, hardly_known })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use domain::Month;
    use trees::metrics::Interval;

    use super::*;
    use crate::alarms::AlarmKind;
    use crate::evaluate::Figure;
    use crate::report::{CAUTION, Lineage, Report};
    use crate::rows::{Chunk, Row};
    use crate::split::Protocol;

    /// Rows in memory.
    struct Memory {
        features: Vec<String>,
        chunk: Chunk,
    }

    impl Source for Memory {
        fn features(&self) -> &[String] {
            &self.features
        }

        fn read(&self, take: &mut dyn FnMut(&Chunk) -> Result<(), TrainingError>) -> Result<(), TrainingError> {
            take(&self.chunk)
        }
    }

    /// A study of some companies with one model.
    pub(crate) fn studied() -> Study {
        let source = companies(400, 40, |_, _| 0.0);
        run(&source, &plan(Protocol::Holdout, &[Kind::Lightgbm], &params()), &mut quiet).unwrap()
    }

    /// A report of one model, with these figures and intervals of 0.01 on either side of the AUC.
    pub(crate) fn report(protocol: Protocol, auc: f64, ece: f64) -> Report {
        let mut study = studied();
        let interval = |value: f64, half: f64| Interval { value, low: value - half, high: value + half };
        study.section.models[0].worth.figures = BTreeMap::from([
            (Figure::Auc, interval(auc, 0.01)),
            (Figure::AveragePrecision, interval(auc / 3.0, 0.01)),
            (Figure::Ece, interval(ece, 0.0)),
        ]);
        study.section.protocol = protocol;
        Report {
            caution: CAUTION.to_owned(),
            lineage: Lineage {
                data: "batch 2511".into(),
                features_version: 1,
                schema_hash: "hash".into(),
                params: params(),
                feedback: String::new(),
                training_month_step: 3,
                processes: 1,
                code_version: "0.1.0".into(),
            },
            sections: vec![study.section],
            breakdown: vec![],
            effects: vec![],
            hardly_known: None,
            search: vec![],
            learning_curve: vec![],
            alarms: vec![],
            notes: vec![],
        }
    }

    /// Rows to fit on.
    pub(crate) fn prepared() -> Prepared {
        let source = companies(400, 80, |_, drift| drift);
        let split = plan(Protocol::Holdout, &[], &params()).split;
        prepare::prepare(&source, Use { split: &split, step: 1, feedback: &Feedback::default(), place: None }, &[], 1, 1).unwrap()
    }

    fn quiet(_: Kind, _: Option<Round>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn params() -> Params {
        Params {
            rounds: 40,
            num_leaves: 7,
            early_stopping_rounds: Some(10),
            metric: trees::ValidationMetric::BinaryLogloss,
            ..Params::default()
        }
    }

    fn plan<'a>(protocol: Protocol, kinds: &'a [Kind], params: &'a Params) -> Plan<'a> {
        static ROLES: FeatureRoles = FeatureRoles { categorical: vec![], monotone: vec![], debt_ratio: vec![] };
        static NONE: std::sync::LazyLock<Feedback> = std::sync::LazyLock::new(Feedback::default);
        let first = Month::new(2016, 1).unwrap();
        Plan {
            feedback: &NONE,
            split: Split::new(protocol, first, first.plus(78)).unwrap(),
            step: 1,
            kinds,
            roles: &ROLES,
            facets: Facets::default(),
            params,
            bootstrap: Bootstrap { replicates: 20, ..Bootstrap::default() },
            hazard: false,
            capacity: 10,
            place: None,
        }
    }

    /// A fixed number within [0, 1).
    fn noise(seed: u32) -> f64 {
        (crate::split::scramble(seed.into()) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Companies with a risk that their first feature tells in part, a second one of noise, and a third one as given.
    fn companies(count: u32, risky: u32, third: impl Fn(&Row, f32) -> f32) -> Memory {
        let mut chunk = Chunk::default();
        for entity in 0..count {
            let risk = noise(entity + 1);
            let fails = (risk * 1_000.0) < f64::from(risky) * 2.0 && noise(entity + 7_777) < 0.5;
            let event = 20 + (noise(entity + 99) * 58.0) as i32;
            for month in 0..78 {
                if fails && month >= event {
                    break;
                }
                let ahead = event - month;
                let known = month + 18 <= 78;
                let label = known.then_some(fails && ahead <= 18);
                let next = fails.then_some((ahead as u16, domain::ProcolAction::Liquidation));
                let time = Month::new(2016, 1).unwrap().plus(month).index();
                let row = Row { entity, time, label, lenient: Some(fails && ahead <= 18), next, side: None };
                let drift = noise(entity * 131 + month as u32) as f32 / 4.0;
                chunk.values.extend([risk as f32 + 3.0 * drift, noise(entity * 977 + month as u32 + 5) as f32, third(&row, drift)]);
                chunk.rows.push(row);
            }
        }
        Memory { features: ["risk", "noise", "third"].map(str::to_owned).to_vec(), chunk }
    }

    #[test]
    fn the_same_rows_and_parameters_give_the_same_bytes_and_another_seed_another_model() {
        let source = companies(600, 80, |_, drift| drift);
        let bagged = Params { bagging_fraction: 0.5, bagging_frequency: 1, threads: 2, ..params() };
        let of = |seed| {
            let params = Params { seed, ..bagged.clone() };
            let study =
                run(&source, &plan(Protocol::Holdout, &[Kind::Mixture, Kind::Logistic, Kind::RandomForest], &params), &mut quiet).unwrap();
            let section = serde_json::to_string(&study.section).unwrap();
            (study.first.text.unwrap(), section)
        };
        let (one, again, other) = (of(1), of(1), of(2));
        assert_eq!(one, again);
        assert_ne!(one.0, other.0);
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let source = companies(400, 80, |row, drift| if row.entity % 3 == 0 { f32::NAN } else { drift });
        let (kinds, params) = ([Kind::Lightgbm], params());
        let plan = plan(Protocol::Holdout, &kinds, &params);
        let study = run(&source, &plan, &mut quiet).unwrap();
        let Details { breakdown, effects, alarms, hardly_known } = study.details(&plan).unwrap();
        let report =
            Report { sections: vec![study.section], breakdown, effects, alarms, hardly_known, ..report(Protocol::Holdout, 0.8, 0.01) };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }

    #[test]
    fn every_kind_is_measured_and_what_cannot_be_fitted_is_said() {
        let source = companies(600, 80, |_, drift| drift);
        let study = run(&source, &plan(Protocol::Holdout, &Kind::ALL, &params()), &mut quiet).unwrap();
        let section = &study.section;
        assert_eq!(section.models.iter().map(|model| model.kind).collect::<Vec<_>>(), Kind::ALL[..4]);
        assert_eq!(section.left_out.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Kind::Rule], "there is no debt to read");
        for model in &section.models {
            let auc = model.worth.figures[&Figure::Auc];
            assert!(auc.value > 0.7 && auc.low < auc.value && auc.value < auc.high, "{:?} {auc:?}", model.kind);
        }
        let lead = &section.models[0].worth.lead_time;
        assert!(lead.companies > 0 && lead.detected <= lead.companies);
        assert_eq!(study.test.probabilities.len(), section.sides[2].rows);
    }

    #[test]
    fn two_processes_grow_the_model_of_one() {
        let source = companies(900, 80, |_, drift| drift);
        let (kinds, params) = ([Kind::Mixture], params());
        let host = std::net::IpAddr::from([127, 0, 0, 1]);
        let machines = vec![crate::crew::address(host).unwrap(), crate::crew::address(host).unwrap()];
        let places = [0, 1].map(|rank| Place { rank, machines: machines.clone() });
        let together = std::thread::scope(|scope| {
            scope.spawn(|| assist(&source, &Plan { place: Some(&places[1]), ..plan(Protocol::Holdout, &kinds, &params) }).unwrap());
            run(&source, &Plan { place: Some(&places[0]), ..plan(Protocol::Holdout, &kinds, &params) }, &mut quiet).unwrap()
        });
        let alone = run(&source, &plan(Protocol::Holdout, &kinds, &params), &mut quiet).unwrap();
        assert_eq!(together.section.sides, alone.section.sides, "the report is of all rows");
        let auc = |study: &Study| study.section.models[0].worth.figures[&Figure::Auc].value;
        assert!((auc(&together) - auc(&alone)).abs() < 0.02, "{} {}", auc(&together), auc(&alone));
    }

    #[test]
    fn what_agents_say_leaves_rows_out_or_weighs_them() {
        let source = companies(600, 80, |_, drift| drift);
        let (kinds, params) = ([Kind::Lightgbm], params());
        let said = |weight| {
            let helped = (0..60).map(|siren| api::training::Feedback {
                siren: format!("{siren:09}"),
                from_month: "2016-01".into(),
                to_month: "2022-12".into(),
                weight,
            });
            Feedback::of(&helped.collect::<Vec<_>>()).unwrap()
        };
        let of = |feedback: &Feedback| run(&source, &Plan { feedback, ..plan(Protocol::Holdout, &kinds, &params) }, &mut quiet).unwrap();
        let (all, without, less) = (of(&Feedback::default()), of(&said(0.0)), of(&said(0.2)));
        assert!(without.section.rows_left_out > 0 && without.section.sides[0].rows < all.section.sides[0].rows);
        assert_eq!((less.section.rows_left_out, less.section.sides[0].rows), (0, all.section.sides[0].rows));
        assert_ne!(less.first.text, all.first.text);
    }

    #[test]
    fn one_hazard_gives_all_horizons() {
        let source = companies(900, 120, |_, drift| drift);
        let (kinds, params) = ([Kind::Lightgbm], params());
        let study = run(&source, &Plan { hazard: true, ..plan(Protocol::Holdout, &kinds, &params) }, &mut quiet).unwrap();
        let horizons = &study.section.horizons;
        assert_eq!(horizons.iter().map(|horizon| horizon.months).collect::<Vec<_>>(), hazard::HORIZONS);
        assert!(horizons.iter().all(|horizon| horizon.auc.unwrap() > 0.65), "{horizons:?}");
        assert!(horizons.windows(2).all(|pair| pair[0].predicted < pair[1].predicted && pair[0].rows >= pair[1].rows), "{horizons:?}");
    }

    /// A fact of today written into every past month, as the account state of the debit files is: it tells who has failed
    /// by now, whatever the month.
    #[test]
    fn a_feature_that_knows_the_future_raises_an_alarm_and_an_honest_one_does_not() {
        let alarms = |source: &Memory| {
            let (kinds, params) = ([Kind::Lightgbm], params());
            let plan = plan(Protocol::Holdout, &kinds, &params);
            let study = run(source, &plan, &mut quiet).unwrap();
            study.details(&plan).unwrap().alarms
        };
        let leak = companies(900, 80, |row, drift| if row.next.is_some() && drift > 0.02 { 3.0 } else { 1.0 });
        let found = alarms(&leak);
        assert!(found.iter().any(|alarm| alarm.kind == AlarmKind::FeatureAlone && alarm.message.contains("'third'")), "{found:?}");
        let honest = companies(900, 80, |row, _| (noise(row.entity + 1) + noise(row.entity * 31 + row.time as u32)) as f32);
        assert!(alarms(&honest).iter().all(|alarm| alarm.kind != AlarmKind::FeatureAlone));
    }

    #[test]
    fn a_company_on_two_sides_is_refused_where_the_protocol_forbids_it() {
        let mut source = companies(300, 80, |_, drift| drift);
        for (at, row) in source.chunk.rows.iter_mut().enumerate() {
            row.side = Some(crate::rows::Side::ALL[at % 3]);
        }
        let (kinds, params) = ([Kind::Lightgbm], params());
        let given = Plan { split: Split::given(Protocol::Given), ..plan(Protocol::Holdout, &kinds, &params) };
        let refused = run(&source, &given, &mut quiet).err().unwrap();
        assert!(matches!(refused, TrainingError::BothSides { protocol: "given", .. }), "{refused}");
    }

    #[test]
    fn a_cancelled_study_stops() {
        let source = companies(300, 80, |_, drift| drift);
        let mut rounds = 0;
        let mut stop = |_: Kind, round: Option<Round>| {
            rounds += u32::from(round.is_some());
            if rounds == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let stopped = run(&source, &plan(Protocol::Holdout, &[Kind::Lightgbm], &params()), &mut stop).err().unwrap();
        assert!(matches!(stopped, TrainingError::Cancelled), "{stopped}");
    }
}
